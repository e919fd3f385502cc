//! Direct access to the database of a running W2Meet: its rows, and changes to them.

use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection};

use super::cluster::{execute, owners};
use super::{Cluster, Shape};

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = diesel::sql_types::Text)]
    line: String,
}

fn open(cluster: &Cluster, owner: &str) -> SqliteConnection {
    let file = cluster.outbox().with_file_name(format!("{owner}.db"));
    let mut conn = SqliteConnection::establish(file.to_str().expect("UTF-8")).expect("the database opens");
    diesel::sql_query("PRAGMA busy_timeout = 5000").execute(&mut conn).expect("it waits");
    conn
}

/// Runs one statement on the database of `owner`.
pub async fn run_sql(cluster: &Cluster, owner: &str, sql: &str) {
    match cluster.shape {
        Shape::Embedded => drop(diesel::sql_query(sql).execute(&mut open(cluster, owner)).expect("it runs")),
        Shape::Services => execute(url(cluster), sql).await,
    }
}

/// Every row of every table, as a text that begins with the name of its table.
pub async fn all_rows(cluster: &Cluster) -> Vec<String> {
    match cluster.shape {
        Shape::Embedded => owners().iter().flat_map(|owner| all_of_sqlite(&mut open(cluster, owner))).collect(),
        Shape::Services => all_of_postgres(url(cluster)).await,
    }
}

fn url(cluster: &Cluster) -> &str {
    cluster.nodes[0].setting("W2MEET_DATABASE__URL")
}

fn all_of_sqlite(conn: &mut SqliteConnection) -> Vec<String> {
    let mut ask = |sql: &str| -> Vec<String> {
        let lines: Vec<TextRow> = diesel::sql_query(sql).load(conn).expect("it answers");
        lines.into_iter().map(|line| line.line).collect()
    };
    let mut rows = Vec::new();
    for table in ask("SELECT name AS line FROM sqlite_master WHERE type = 'table'") {
        let columns = ask(&format!("SELECT 'quote(\"' || name || '\")' AS line FROM pragma_table_info('{table}')"));
        let row = columns.join(" || ' | ' || ");
        rows.extend(ask(&format!("SELECT '{table}: ' || {row} AS line FROM \"{table}\"")));
    }
    rows
}

async fn all_of_postgres(url: &str) -> Vec<String> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("PostgreSQL answers");
    let driver = tokio::spawn(connection);
    let tables = "SELECT table_schema::text, table_name::text FROM information_schema.tables \
                  WHERE table_schema = ANY (current_schemas(false))";
    let mut rows = Vec::new();
    for table in client.query(tables, &[]).await.expect("it answers") {
        let (schema, table): (String, String) = (table.get(0), table.get(1));
        let found =
            client.query(&format!("SELECT t::text FROM \"{schema}\".\"{table}\" t"), &[]).await.expect("it answers");
        rows.extend(found.iter().map(|row| format!("{table}: {}", row.get::<_, String>(0))));
    }
    drop(client);
    drop(driver.await);
    rows
}
