//! What a process calls itself in a lease, and whether another that did so is gone. On the same
//! machine nobody has to wait for the lease of a process that was killed to run out.

use std::fs;
use std::path::Path;

/// A process, told from every other, also from a later one with the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    host: String,
    process: u32,
    /// Whoever else's processes may be hidden from us.
    user: String,
    /// The boot and the namespace that the number belongs to.
    space: String,
    /// When it began, in the kernel's ticks.
    since: String,
}

impl Holder {
    /// This process; what cannot be told is empty.
    #[must_use]
    pub fn own() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let host = read("/proc/sys/kernel/hostname").replace(char::is_whitespace, "-");
        let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self {
            host: if host.is_empty() { "somewhere".to_owned() } else { host },
            process: std::process::id(),
            user: user("self").unwrap_or_default(),
            space: format!("{}/{}", read("/proc/sys/kernel/random/boot_id"), space.display()),
            since: began("self").unwrap_or_default(),
        }
    }

    /// As it stands in the database.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { host, process, user, space, since } = self;
        [host, &process.to_string(), user, space, since].map(String::as_str).join(" ")
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(' ').collect();
        let [host, process, user, space, since] = parts[..] else { return None };
        let process = process.parse().ok()?;
        let [host, user, space, since] = [host, user, space, since].map(str::to_owned);
        Some(Self { host, process, user, space, since })
    }

    /// For people.
    #[must_use]
    pub fn name(&self) -> String {
        format!("process {} on {}", self.process, self.host)
    }

    /// Whether it is known that the process is gone; `false` also where it cannot be known.
    #[must_use]
    pub fn is_gone(&self, own: &Self) -> bool {
        let is_near = self.space == own.space && self.user == own.user;
        let is_told = !self.since.is_empty() && !self.user.is_empty() && self.space.len() > 1;
        if !is_near || !is_told || began("self").as_deref() != Some(&own.since) {
            return false;
        }
        began(&self.process.to_string()).as_deref() != Some(&self.since)
    }
}

/// When a process began; `None` if there is none, or only what is left of it.
fn began(process: &str) -> Option<String> {
    let stat = fs::read_to_string(Path::new("/proc").join(process).join("stat")).ok()?;
    // The name, in brackets, may hold anything; the state follows it, and the start is the
    // twentieth field from there (proc(5)).
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let since = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| since.to_owned())
}

fn user(process: &str) -> Option<String> {
    let status = fs::read_to_string(Path::new("/proc").join(process).join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_with_its_number() {
        let own = Holder::own();
        assert_eq!(Holder::parse(&own.text()), Some(own.clone()));
        assert!(!own.is_gone(&own));
        let earlier = Holder { since: "1".to_owned(), ..own.clone() };
        assert!(earlier.is_gone(&own));
        let never = Holder { process: u32::MAX, ..own.clone() };
        assert!(never.is_gone(&own));
    }

    #[test]
    fn nothing_is_known_of_processes_elsewhere() {
        let own = Holder::own();
        for other in [
            Holder { space: "other/pid:[1]".to_owned(), process: u32::MAX, ..own.clone() },
            Holder { user: "12345".to_owned(), process: u32::MAX, ..own.clone() },
            Holder { since: String::new(), process: u32::MAX, ..own.clone() },
        ] {
            assert!(!other.is_gone(&own), "{other:?}");
        }
        assert_eq!(Holder::parse("no holder"), None);
    }
}
