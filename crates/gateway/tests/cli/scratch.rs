//! A run of the program in a directory of its own.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use expect_test::Expect;

/// A directory of one test, which is also its prefix; removed at the end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("polygate-cli-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, &[])
    }

    /// The environment has the given variables, the prefix and nothing else.
    pub fn run_with(&self, arguments: &[&str], env: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_polygate"))
            .args(arguments)
            .env_clear()
            .env("KONG_PREFIX", &self.0)
            .envs(env.iter().copied())
            .current_dir(&self.0)
            .output()
            .unwrap()
    }

    /// Both streams and the exit code, with the directory and the time of day taken out.
    pub fn transcript(&self, output: &Output) -> String {
        let text = format!(
            "{}--- {}\n{}",
            String::from_utf8_lossy(&output.stdout),
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&output.stderr)
        );
        let text = text.replace(&self.0.display().to_string(), "<dir>");
        text.lines().map(|line| without_time(line) + "\n").collect()
    }

    #[track_caller]
    pub fn says(&self, arguments: &[&str], expected: Expect) {
        expected.assert_eq(&self.transcript(&self.run(arguments)));
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A stamped line begins with a date of 19 characters.
fn without_time(line: &str) -> String {
    let stamp = line.get(..19).filter(|stamp| stamp.as_bytes()[4] == b'/' && stamp.as_bytes()[13] == b':');
    stamp.map_or(line.to_owned(), |stamp| line.replacen(stamp, "<time>", 1))
}

pub const OFF: (&str, &str) = ("KONG_DATABASE", "off");

/// A gateway with one listener.
pub fn listening(address: &str) -> [(&str, &str); 4] {
    [OFF, ("KONG_PROXY_LISTEN", address), ("KONG_ADMIN_LISTEN", "off"), ("KONG_STATUS_LISTEN", "off")]
}
