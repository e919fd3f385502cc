//! The executable: reads the command line, does what it says.

use std::process::ExitCode;

use w2meet::platform::data::Damaged;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code for a damaged database, so that no supervisor starts it again and again: EX_DATAERR of sysexits.h.
const DAMAGED: u8 = 65;

fn main() -> ExitCode {
    match w2meet::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("w2meet: {why:#}");
            if why.is::<Damaged>() { ExitCode::from(DAMAGED) } else { ExitCode::FAILURE }
        }
    }
}
