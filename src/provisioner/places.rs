//! One table of time zones and one of languages, with what each brand calls them.
//!
//! Sources: the vendors' lists of the settings `timezone` and `tone_scheme` (snom), `time zone name` and `tone set`
//! (Mitel), `local_time.time_zone_name` (Yealink); the numbers of snom's DECT phones are those of the provisioner that
//! this one succeeds.

/// A time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    /// IANA name.
    pub name: &'static str,
    /// Prefix of the language that people speak there.
    language: &'static str,
    /// snom `timezone`; before its sign is the country.
    pub snom: &'static str,
    /// snom `tone_scheme`
    pub snom_tone: &'static str,
    /// snom m9: numbers of zone and tone.
    pub m9: (&'static str, &'static str),
    /// Mitel `time zone name`
    pub mitel: &'static str,
    /// Mitel `tone set`
    pub mitel_tone: &'static str,
    /// Yealink `local_time.time_zone`
    pub yealink: &'static str,
    /// Yealink `local_time.time_zone_name`
    pub yealink_name: &'static str,
}

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language {
    /// ISO 639-1
    pub prefix: &'static str,
    /// snom `language`: a name in the phone's own list.
    pub snom: Option<&'static str>,
    /// Mitel `language`: number in the phone's list of language files. 0 is the English that it always has.
    pub mitel: Option<&'static str>,
    /// Mitel `input language`
    pub mitel_input: Option<&'static str>,
    /// Yealink `lang.gui`
    pub yealink: Option<&'static str>,
    /// snom m3: number of the country.
    pub m3: &'static str,
}

const fn language(
    prefix: &'static str,
    snom: &'static str,
    mitel: &'static str,
    input: &'static str,
    yealink: &'static str,
    m3: &'static str,
) -> Language {
    Language { prefix, snom: Some(snom), mitel: Some(mitel), mitel_input: Some(input), yealink: Some(yealink), m3 }
}

/// English first: it is what a phone speaks that is not told otherwise.
const LANGUAGES: &[Language] = &[
    language("en", "English", "0", "English", "English", "0x12"),
    language("de", "Deutsch", "1", "German", "German", "0"),
    language("fr", "Francais", "3", "French", "French", "2"),
    language("it", "Italiano", "4", "Italiano", "Italian", "3"),
    language("da", "Dansk", "5", "Dansk", "Dansk", "9"),
    // Mitel's keypad knows it, its screen has no file for it here
    Language { prefix: "ru", snom: None, mitel: Some("0"), mitel_input: Some("Russian"), yealink: None, m3: "0x12" },
];

const fn zone(
    name: &'static str,
    language: &'static str,
    snom: (&'static str, &'static str),
    m9: (&'static str, &'static str),
    mitel: (&'static str, &'static str),
    yealink: (&'static str, &'static str),
) -> Zone {
    Zone {
        name,
        language,
        snom: snom.0,
        snom_tone: snom.1,
        m9,
        mitel: mitel.0,
        mitel_tone: mitel.1,
        yealink: yealink.0,
        yealink_name: yealink.1,
    }
}

/// For people without a time zone.
const NOWHERE: Zone =
    zone("", "en", ("GBR-0", "USA"), ("355", "3"), ("US-Eastern", "US"), ("+00:00", "United Kingdom(London)"));

const M9: (&str, &str) = ("355", "3");
const BERLIN: (&str, &str) = ("+01:00", "Germany(Berlin)");

const ZONES: &[Zone] = &[
    zone(
        "Europe/London",
        "en",
        ("GBR-0", "GBR"),
        ("355", "1"),
        ("GB-London", "UK"),
        ("+00:00", "United Kingdom(London)"),
    ),
    zone("Europe/Dublin", "en", ("IRL-0", "GBR"), M9, ("IE-Dublin", "UK"), ("+00:00", "Ireland(Dublin)")),
    zone(
        "Europe/Lisbon",
        "en",
        ("PRT-0", "GBR"),
        M9,
        ("PT-Lisbon", "Europe"),
        ("+00:00", "Portugal(Lisboa,Porto,Funchal)"),
    ),
    zone(
        "Europe/Copenhagen",
        "da",
        ("DNK+1", "DNK"),
        M9,
        ("DK-Copenhagen", "Europe"),
        ("+01:00", "Denmark(Kopenhagen)"),
    ),
    zone("Europe/Berlin", "de", ("GER+1", "GER"), M9, ("DE-Berlin", "Germany"), BERLIN),
    zone("Europe/Zurich", "de", ("CHE+1", "SWI"), M9, ("CH-Zurich", "Europe"), BERLIN),
    zone("Europe/Vaduz", "de", ("CHE+1", "SWI"), M9, ("CH-Zurich", "Europe"), BERLIN),
    zone("Europe/Vienna", "de", ("AUT+1", "AUT"), ("355", "4"), ("AT-Vienna", "Europe"), ("+01:00", "Austria(Vienna)")),
    zone("Europe/Paris", "fr", ("FRA+1", "FRA"), ("2", "12"), ("FR-Paris", "France"), ("+01:00", "France(Paris)")),
    zone(
        "Europe/Luxembourg",
        "fr",
        ("LUX+1", "FRA"),
        M9,
        ("LU-Luxembourg", "Europe"),
        ("+01:00", "Luxembourg(Luxembourg)"),
    ),
    zone("Europe/Brussels", "fr", ("BEL+1", "FRA"), M9, ("BE-Brussels", "Europe"), ("+01:00", "Belgium(Brussels)")),
    zone(
        "Europe/Amsterdam",
        "en",
        ("NLD+1", "NLD"),
        ("355", "5"),
        ("NL-Amsterdam", "Europe"),
        ("+01:00", "Netherlands(Amsterdam)"),
    ),
    zone("Europe/Rome", "it", ("ITA+1", "ITA"), ("342", "11"), ("IT-Rome", "Italy"), ("+01:00", "Italy(Rome)")),
    zone("Europe/Madrid", "en", ("ESP+1", "ESP"), M9, ("ES-Madrid", "Europe"), ("+01:00", "Spain(Madrid)")),
    zone("Europe/Stockholm", "en", ("SWE+1", "SWE"), M9, ("SE-Stockholm", "Europe"), BERLIN),
    zone("Europe/Oslo", "en", ("NOR+1", "NOR"), M9, ("NO-Oslo", "Europe"), BERLIN),
    zone("Europe/Moscow", "ru", ("RUS+3", "GER"), M9, ("RU-Moscow", "Russia"), ("+03:00", "Russia(Moscow)")),
    zone(
        "America/New_York",
        "en",
        ("USA-5", "USA"),
        M9,
        ("US-Eastern", "US"),
        ("-05:00", "United States-Eastern Time"),
    ),
    zone("America/Chicago", "en", ("USA-6", "USA"), M9, ("US-Central", "US"), ("-06:00", "United States-Central Time")),
    zone(
        "America/Denver",
        "en",
        ("USA-7", "USA"),
        M9,
        ("US-Mountain", "US"),
        ("-07:00", "United States-Mountain Time"),
    ),
    zone(
        "America/Los_Angeles",
        "en",
        ("USA-8", "USA"),
        M9,
        ("US-Pacific", "US"),
        ("-08:00", "United States-Pacific Time"),
    ),
    zone("America/Anchorage", "en", ("USA-9", "USA"), M9, ("US-Alaska", "US"), ("-09:00", "United States-Alaska Time")),
    zone(
        "Pacific/Honolulu",
        "en",
        ("USA-10", "USA"),
        M9,
        ("US-Hawaii", "US"),
        ("-10:00", "United States-Hawaii-Aleutian"),
    ),
    zone(
        "America/Mexico_City",
        "en",
        ("MEX-6", "MEX"),
        M9,
        ("MX-Mexico City", "Mexico"),
        ("-06:00", "Mexico(Mexico City,Acapulco)"),
    ),
    zone(
        "Asia/Singapore",
        "en",
        ("SGP+8", "GBR"),
        M9,
        ("SG-Singapore", "Malaysia"),
        ("+08:00", "Singapore(Singapore)"),
    ),
];

/// Where a phone stands, and what it speaks there.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Never one that does not exist.
    pub zone: &'static Zone,
    /// Who was asked: language as written, and the zone; who comes first counts first.
    wishes: [(&'a str, Option<&'static Zone>); 2],
}

impl<'a> Place<'a> {
    /// Of a line: first `(language, time zone)` of its owner, then of its account. Each may be empty. A language counts
    /// before that of the time zone; what the owner says in either way counts before the account.
    pub fn of(owner: (&'a str, &str), account: (&'a str, &str)) -> Place<'a> {
        let wishes = [(owner.0, find(owner.1)), (account.0, find(account.1))];
        Place { zone: wishes.iter().find_map(|w| w.1).unwrap_or(&NOWHERE), wishes }
    }

    /// The first language that `of` has something for, or English.
    pub fn language(&self, of: impl Fn(&'static Language) -> Option<&'static str>) -> &'static str {
        let spoken = |code: &str| LANGUAGES.iter().find(|l| is_language(code, l.prefix)).and_then(&of);
        self.wishes
            .iter()
            .find_map(|(code, zone)| spoken(code).or_else(|| zone.and_then(|z| spoken(z.language))))
            .or_else(|| spoken("en"))
            .unwrap_or_default()
    }
}

fn find(name: &str) -> Option<&'static Zone> {
    ZONES.iter().find(|z| z.name == name)
}

/// `de`, `de-CH`, `de_CH`, in any case. `dk` is what older web UIs wrote for Danish.
fn is_language(code: &str, prefix: &str) -> bool {
    let first = code.split(['-', '_']).next().unwrap_or_default();
    first.eq_ignore_ascii_case(prefix) || (prefix == "da" && first.eq_ignore_ascii_case("dk"))
}

#[cfg(test)]
mod test {
    use super::*;

    fn snom(owner: (&str, &str), account: (&str, &str)) -> (&'static str, &'static str) {
        let place = Place::of(owner, account);
        (place.zone.name, place.language(|l| l.snom))
    }

    #[test]
    fn owner_then_account() {
        assert_eq!(snom(("", "Europe/Zurich"), ("en-US", "Europe/Paris")), ("Europe/Zurich", "Deutsch"));
        assert_eq!(snom(("fr-CH", "Europe/Zurich"), ("", "")), ("Europe/Zurich", "Francais"));
        assert_eq!(snom(("", ""), ("it", "Europe/Zurich")), ("Europe/Zurich", "Italiano"));
        assert_eq!(snom(("", "Mars/Base"), ("DK_dk", "")), ("", "Dansk"));
        assert_eq!(snom(("xx", ""), ("", "")), ("", "English"));
    }

    #[test]
    fn a_brand_without_the_language_takes_the_next() {
        let place = Place::of(("ru-RU", "Europe/Berlin"), ("", ""));
        assert_eq!(place.language(|l| l.snom), "Deutsch");
        assert_eq!(place.language(|l| l.mitel_input), "Russian");
    }

    #[test]
    fn the_table_has_each_zone_once_and_only_languages_that_are_known() {
        for zone in ZONES {
            assert_eq!(ZONES.iter().filter(|z| z.name == zone.name).count(), 1, "{}", zone.name);
            assert!(LANGUAGES.iter().any(|l| l.prefix == zone.language), "{}", zone.name);
            assert!(zone.yealink.len() == 6 && zone.name.contains('/'), "{}", zone.name);
        }
    }
}
