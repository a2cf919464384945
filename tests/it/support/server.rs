//! A database server in a directory of its own, for as long as the test process lives: a
//! supervising shell reads from a pipe that ends with us, however we end, and then stops
//! the server and removes the directory.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub struct Server {
    pub dir: PathBuf,
    /// Holds the pipe open.
    _supervisor: Child,
}

/// Which server, and how it is started.
pub struct Recipe {
    pub name: &'static str,
    /// Started as this user by root, since the server refuses to run as root.
    pub user: &'static str,
    /// Shell commands that prepare `$dir`.
    pub prepare: String,
    /// The shell command that is the server.
    pub serve: String,
    /// The signal for an orderly end.
    pub stop: &'static str,
    /// The shell command that succeeds once it answers.
    pub is_up: String,
}

impl Server {
    /// Starts it, and returns when it answers.
    ///
    /// # Panics
    /// It does not start. What it said is in the message.
    pub fn start(recipe: &Recipe) -> Self {
        let dir = tempfile::Builder::new()
            .prefix(&format!("worker-test-{}-", recipe.name))
            .tempdir()
            .expect("a temporary directory")
            .keep();
        let script = format!(
            r#"
trap '' INT TERM HUP PIPE
cd "$dir"
if [ "$(id -u)" = 0 ]; then
  chown {user}: "$dir"
  as="setpriv --reuid={user} --regid={user} --clear-groups --reset-env"
else
  as=
fi
{{ {prepare}; }} >"$dir/log" 2>&1 || {{ echo failed; tail -n 30 "$dir/log"; rm -rf "$dir"; exit 1; }}
{serve} >>"$dir/log" 2>&1 &
server=$!
tries=0
until {is_up} >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ $tries -gt 600 ] || ! kill -0 $server 2>/dev/null; then
    echo failed; tail -n 30 "$dir/log"; kill -9 $server; rm -rf "$dir"; exit 1
  fi
  sleep 0.05
done
echo ready 2>/dev/null
exec >/dev/null
cat >/dev/null
kill -{stop} $server
wait $server 2>/dev/null
rm -rf "$dir"
"#,
            user = recipe.user,
            prepare = recipe.prepare,
            serve = recipe.serve,
            is_up = recipe.is_up,
            stop = recipe.stop,
        );
        let mut supervisor = Command::new("sh")
            .args(["-c", &script])
            .env("dir", &dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let said = BufReader::new(supervisor.stdout.take().expect("its output is a pipe"));
        let mut lines = said.lines().map(|line| line.expect("text"));
        if lines.next().as_deref() != Some("ready") {
            let rest: Vec<String> = lines.collect();
            panic!("{} did not start:\n{}", recipe.name, rest.join("\n"));
        }
        Self { dir, _supervisor: supervisor }
    }
}

/// The full path of a program; the places where Debian keeps servers are looked at too.
///
/// # Panics
/// It is nowhere.
pub fn program(name: &str, package: &str) -> String {
    let mut places: Vec<PathBuf> =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    places.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<PathBuf> =
            versions.flatten().map(|entry| entry.path().join("bin")).collect();
        versions.sort();
        places.extend(versions.into_iter().rev());
    }
    let found = places.iter().map(|place| place.join(name)).find(|path| Path::is_file(path));
    match found {
        Some(path) => path.display().to_string(),
        None => panic!(
            "{name} is not installed, and these tests need it: apt-get install {package} \
             (tests/run.sh does that)"
        ),
    }
}
