//! A job: work that takes longer than a web page waits. It is started, and then asked for. Here is what its files say;
//! `cli/rpcd/jobs.rs` has the files.

use super::args::Args;
use super::table::{self, How, Method};
use serde_json::{json, Map, Value};

/// Hex digits of a job's number.
pub const ID: usize = 16;

/// Could this be a job's number? It becomes part of a file's name.
pub fn is_id(text: &str) -> bool {
    text.len() == ID && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// What a job is to do.
pub fn order(method: &Method, args: &Args) -> String {
    json!({"method": method.name, "args": args.to_json()}).to_string()
}

/// Reads an order again, by the same rules as the call that it came from.
pub fn read_order(bytes: &[u8]) -> Option<(&'static Method, Args)> {
    let order: Value = serde_json::from_slice(bytes).ok()?;
    let method = table::find(order.get("method")?.as_str()?).filter(|m| m.how == How::Job)?;
    let args = Args::parse(method, order.get("args")?.to_string().as_bytes()).ok()?;
    Some((method, args))
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What it did so far, where it does several things.
    pub steps: Vec<Value>,
    /// What came of it.
    pub end: Option<Result<Value, String>>,
}

impl Report {
    /// As it is kept.
    pub fn write(&self) -> String {
        let mut out = Map::new();
        out.insert("steps".to_string(), self.steps.clone().into());
        match &self.end {
            None => {}
            Some(Ok(result)) => _ = out.insert("result".to_string(), result.clone()),
            Some(Err(why)) => _ = out.insert("error".to_string(), why.clone().into()),
        }
        Value::Object(out).to_string()
    }

    /// Reads what is kept; `None` where that is nothing of ours.
    pub fn read(bytes: &[u8]) -> Option<Report> {
        let Value::Object(mut kept) = serde_json::from_slice(bytes).ok()? else { return None };
        let Some(Value::Array(steps)) = kept.remove("steps") else { return None };
        let end = match (kept.remove("result"), kept.remove("error")) {
            (None, None) => None,
            (Some(result), None) => Some(Ok(result)),
            (None, Some(Value::String(why))) => Some(Err(why)),
            _ => return None,
        };
        Some(Report { steps, end })
    }

    /// The answer of `job`. `alive`: is somebody at it?
    pub fn answer(self, id: &str, method: &str, alive: bool) -> Value {
        let mut out = json!({"id": id, "method": method, "steps": self.steps});
        let (state, field, value) = match self.end {
            Some(Ok(result)) => ("done", "result", result),
            Some(Err(why)) => ("failed", "error", why.into()),
            None if alive => {
                out["state"] = "running".into();
                return out;
            }
            None => ("failed", "error", ENDED.into()),
        };
        out["state"] = state.into();
        out[field] = value;
        out
    }
}

/// Of a job whose process is gone without a word.
pub const ENDED: &str = "it was ended before it was done (killed, or the router restarted); start it again";

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn numbers() {
        assert!(is_id("0123456789abcdef"));
        for no in
            ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "../../etc/passwd", "0123456789abcde/"]
        {
            assert!(!is_id(no), "{no}");
        }
    }

    #[test]
    fn an_order_is_read_by_the_rules_of_the_call() {
        let method = table::find("resync").unwrap();
        let args = Args::parse(method, br#"{"mac":"000413AABBCC","reboot":1}"#).unwrap();
        let (again, read) = read_order(order(method, &args).as_bytes()).unwrap();
        assert_eq!((again.name, &read), ("resync", &args));
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"method":"resync"}"#,
            r#"{"method":"resync","args":{"mac":"x"}}"#,
            r#"{"method":"resync","args":{"mac":"all","more":1}}"#,
            r#"{"method":"forget","args":{"mac":"all"}}"#,
            r#"{"method":"nothing","args":{}}"#,
        ] {
            assert!(read_order(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn reports_come_back_as_they_were() {
        let step = json!({"step": "GET", "ok": true, "text": "x"});
        for end in [None, Some(Ok(json!({"ok": true}))), Some(Err("why".to_string()))] {
            let report = Report { steps: vec![step.clone()], end };
            assert_eq!(Report::read(report.write().as_bytes()), Some(report));
        }
        for bad in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"steps":1}"#,
            r#"{"steps":[],"error":1}"#,
            r#"{"steps":[],"error":"","result":1}"#,
        ] {
            assert_eq!(Report::read(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn states() {
        let of = |end, alive| Report { steps: Vec::new(), end }.answer("1", "probe", alive);
        assert_eq!(of(None, true), json!({"id": "1", "method": "probe", "state": "running", "steps": []}));
        assert_eq!(of(None, false)["error"], json!(ENDED));
        assert_eq!(of(None, false)["state"], json!("failed"));
        assert_eq!(of(Some(Err("x".into())), true)["state"], json!("failed"));
        let done = of(Some(Ok(json!({"a": 1}))), false);
        assert_eq!((&done["state"], &done["result"]["a"], done.get("error")), (&json!("done"), &json!(1), None));
    }
}
