//! Commands of the executable, and text files for them.

use std::path::PathBuf;
use std::process::Output;

use super::cluster::{command, make_temp_folder};

/// Runs a command to its end.
pub fn run_command(arguments: &[&str], env: &[(&str, &str)]) -> Output {
    let output = command().args(arguments).envs(env.iter().copied()).current_dir(std::env::temp_dir()).output();
    output.expect("the executable starts")
}

pub fn utf8(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A file with this text; it is removed with its folder at the end.
pub struct TextFile(PathBuf);

impl TextFile {
    pub fn new(name: &str, text: &str) -> TextFile {
        let path = make_temp_folder().join(name);
        std::fs::write(&path, text).expect("a file");
        TextFile(path)
    }
    pub fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for TextFile {
    fn drop(&mut self) {
        drop(self.0.parent().map(std::fs::remove_dir_all));
    }
}
