//! The user that the agent becomes, out of /etc/passwd.

/// Whom the agent becomes when root starts it and names nobody; the packages make this user.
pub(super) const DEFAULT: &str = "phoneprov";

const PASSWD: &str = "/etc/passwd";

/// A user as the kernel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    /// For log lines.
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The user to become: `named` must exist, or be a number. Nobody is named: [`DEFAULT`], or root where there is no such
/// user.
pub(super) fn find(named: Option<&str>) -> Result<User, String> {
    let text = match std::fs::read_to_string(PASSWD) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(format!("cannot read {PASSWD}: {e}")),
    };
    let Some(name) = named else {
        return Ok(parse(&text, DEFAULT).unwrap_or(User { name: "root".to_string(), uid: 0, gid: 0 }));
    };
    parse(&text, name).or_else(|| numbered(&text, name)).ok_or_else(|| {
        format!("--user: there is no user '{name}' in {PASSWD}; add it, or give a number, as in --user 65534")
    })
}

/// A line of passwd: `name:password:uid:gid:…`.
fn parse(text: &str, name: &str) -> Option<User> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name && !name.is_empty()).then_some(())?;
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(User { name: name.to_string(), uid, gid })
    })
}

/// A number: with the group of the user who has it, else with the group of the same number.
fn numbered(text: &str, number: &str) -> Option<User> {
    // the highest number stands for "unchanged" in the kernel's calls
    let uid: u32 = number.parse().ok().filter(|n| *n < u32::MAX)?;
    let owner = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| parse(text, name)).flatten()
    });
    Some(owner.unwrap_or(User { name: number.to_string(), uid, gid: uid }))
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = "root:x:0:0:root:/root:/bin/ash\n\nbroken\nhalf:x:7\nphoneprov:x:5960:5961:phoneprov:/var/run/phoneprov:/bin/false\nbad:x:minus:1:::\n";

    #[test]
    fn users_by_name_and_number() {
        let ours = User { name: "phoneprov".into(), uid: 5960, gid: 5961 };
        assert_eq!(parse(FILE, "phoneprov"), Some(ours.clone()));
        assert_eq!(numbered(FILE, "5960"), Some(ours));
        assert_eq!(numbered(FILE, "71"), Some(User { name: "71".into(), uid: 71, gid: 71 }));
        assert_eq!(numbered(FILE, "0").map(|u| u.name), Some("root".into()));
        for name in ["", "half", "bad", "broken", "phone", "nobody"] {
            assert_eq!(parse(FILE, name), None, "{name}");
        }
        for number in ["", "-1", "4294967295", "phoneprov"] {
            assert_eq!(numbered(FILE, number), None, "{number}");
        }
    }

    proptest! {
        #[test]
        fn any_file(text in "([a-c:0-9\\n]{0,40}|\\PC{0,40})", name in "[a-c0-9]{0,3}") {
            if let Some(user) = parse(&text, &name) {
                let head = format!("{name}:");
                let mut lines = text.lines();
                let found = lines.any(|l| l.starts_with(&head) && l.contains(&user.uid.to_string()));
                prop_assert!(found);
            }
            let _ = numbered(&text, &name);
        }
    }
}
