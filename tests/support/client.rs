//! An HTTP client of the tests, and its replies.

use awc::http::Method;
use serde_json::Value;

/// A client of one base URL.
pub struct Client {
    base: String,
    http: awc::Client,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
    /// `Null` where the body is no JSON.
    pub json: Value,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// Fails, showing the body, unless this is the status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Client {
    #[expect(clippy::disallowed_methods, reason = "a test calls from outside")]
    pub fn new(base: &str) -> Client {
        let builder = awc::Client::builder().timeout(std::time::Duration::from_secs(10)).disable_redirects();
        Client { base: base.to_owned(), http: builder.finish() }
    }

    /// One that asks for thousands at a time; others queue what is beyond a hundred.
    #[expect(clippy::disallowed_methods, reason = "a test calls from outside")]
    pub fn with_many_connections(&self) -> Client {
        let builder = awc::Client::builder().connector(awc::Connector::new().limit(20_000));
        Client { base: self.base.clone(), http: builder.disable_timeout().disable_redirects().finish() }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], None).await
    }
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, &[], None).await
    }
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.json(Method::POST, path, body).await
    }
    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.json(Method::PUT, path, body).await
    }
    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.json(Method::PATCH, path, body).await
    }
    async fn json(&self, method: Method, path: &str, body: Value) -> Reply {
        self.send(method, path, &[("content-type", "application/json")], Some(body.to_string().into_bytes())).await
    }

    /// Any request; the body goes as it is.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> Reply {
        self.try_send(method, path, headers, body).await.unwrap_or_else(|why| panic!("{path}: {why}"))
    }

    /// [`Client::send`] where no answer is an answer too.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Reply, awc::error::SendRequestError> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        let mut answer = match body {
            Some(body) => request.send_body(body).await?,
            None => request.send().await?,
        };
        let bytes =
            answer.body().limit(64 << 20).await.map_err(|why| awc::error::SendRequestError::Body(why.into()))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let headers = answer.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()));
        Ok(Reply {
            status: answer.status().as_u16(),
            headers: headers.collect(),
            json: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        })
    }
}
