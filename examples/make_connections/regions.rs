//! Where customers are, and what those of a country have in common.

#[derive(Clone, Copy)]
pub struct Region {
    pub country: &'static str,
    pub locales: &'static [(u32, &'static str)],
    pub zones: &'static [(u32, &'static str)],
    pub forms: &'static [&'static str],
    pub towns: &'static [&'static str],
}

/// With weights: Xero's customers sit mostly in New Zealand, Australia and the UK.
pub const REGIONS: &[(u32, Region)] = &[
    (
        30,
        Region {
            country: "NZ",
            locales: &[(12, "en-NZ"), (1, "mi-NZ")],
            zones: &[(12, "Pacific/Auckland"), (1, "Pacific/Chatham")],
            forms: &["Limited", "Ltd", "Ltd", "LP"],
            towns: &["Ōtaki", "Whangārei", "Taupō", "Nelson", "Oamaru", "Raglan", "Wānaka", "Gore"],
        },
    ),
    (
        28,
        Region {
            country: "AU",
            locales: &[(12, "en-AU")],
            zones: &[
                (12, "Australia/Sydney"),
                (9, "Australia/Melbourne"),
                (6, "Australia/Brisbane"),
                (4, "Australia/Perth"),
                (3, "Australia/Adelaide"),
                (1, "Australia/Darwin"),
                (1, "Australia/Lord_Howe"),
            ],
            forms: &["Pty Ltd", "Pty Ltd", "Pty. Limited"],
            towns: &["Ballarat", "Fremantle", "Noosa", "Dubbo", "Hobart", "Geelong", "Broome"],
        },
    ),
    (
        22,
        Region {
            country: "GB",
            locales: &[(12, "en-GB"), (1, "cy-GB")],
            zones: &[(12, "Europe/London")],
            forms: &["Ltd", "Limited", "LLP", "CIC"],
            towns: &["Hebden", "Totnes", "Whitby", "Llandudno", "Perth Road", "Ely", "Ludlow"],
        },
    ),
    (
        8,
        Region {
            country: "US",
            locales: &[(12, "en-US"), (1, "es-US")],
            zones: &[
                (12, "America/New_York"),
                (6, "America/Chicago"),
                (3, "America/Denver"),
                (8, "America/Los_Angeles"),
            ],
            forms: &["LLC", "Inc.", "Co."],
            towns: &["Boise", "Tulsa", "Asheville", "Duluth", "Santa Fe"],
        },
    ),
    (
        6,
        Region {
            country: "SG",
            locales: &[(12, "en-SG"), (4, "zh-SG")],
            zones: &[(12, "Asia/Singapore")],
            forms: &["Pte. Ltd.", "Pte Ltd"],
            towns: &["Tiong Bahru", "Katong", "Jurong"],
        },
    ),
    (
        6,
        Region {
            country: "ZA",
            locales: &[(12, "en-ZA"), (4, "af-ZA"), (2, "zu-ZA")],
            zones: &[(12, "Africa/Johannesburg")],
            forms: &["(Pty) Ltd", "CC"],
            towns: &["Knysna", "Karoo", "Umhlanga", "Paarl"],
        },
    ),
    (
        3,
        Region {
            country: "IE",
            locales: &[(12, "en-IE"), (1, "ga-IE")],
            zones: &[(12, "Europe/Dublin")],
            forms: &["DAC", "Teoranta"],
            towns: &["Dingle", "Sligo"],
        },
    ),
    (
        2,
        Region {
            country: "CA",
            locales: &[(12, "en-CA"), (4, "fr-CA")],
            zones: &[(12, "America/Toronto"), (5, "America/Vancouver"), (1, "America/St_Johns")],
            forms: &["Inc.", "ULC"],
            towns: &["Gaspé", "Nanaimo"],
        },
    ),
    (
        2,
        Region {
            country: "IN",
            locales: &[(12, "en-IN")],
            zones: &[(12, "Asia/Kolkata")],
            forms: &["Pvt. Ltd."],
            towns: &["Mysuru", "Kochi"],
        },
    ),
];

impl Region {
    /// By its country; the first of the table when it has no such country.
    pub fn of(country: &str) -> Self {
        let all = || REGIONS.iter().map(|(_, region)| *region);
        all().find(|region| region.country == country).unwrap_or(REGIONS[0].1)
    }
}
