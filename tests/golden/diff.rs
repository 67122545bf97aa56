//! A readable difference of two texts.

/// Lines that are shown; more of them say nothing new.
const SHOWN: usize = 32;

/// The lines that are only in one of the two, `-` before the recorded and `+` before ours, in their order.
pub fn lines(recorded: &[u8], ours: &[u8]) -> String {
    let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => text.to_string(),
        Err(_) => bytes.iter().map(|b| char::from(*b)).collect(),
    };
    let (a, b) = (text(recorded), text(ours));
    let (a, b): (Vec<&str>, Vec<&str>) = (a.split('\n').collect(), b.split('\n').collect());
    // longest common subsequence
    let mut common = vec![vec![0u32; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] = if a[i] == b[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, String::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && common[i + 1][j] >= common[i][j + 1]) {
            out.push_str(&format!("-{}\n", a[i]));
            i += 1;
        } else {
            out.push_str(&format!("+{}\n", b[j]));
            j += 1;
        }
    }
    let all = out.lines().count();
    if all > SHOWN {
        out = out.split_inclusive('\n').take(SHOWN - 1).collect();
        out.push_str(&format!("… and {} more lines\n", all + 1 - SHOWN));
    }
    out
}
