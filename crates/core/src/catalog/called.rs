//! Places by the names that people have for them: `Frankfurt`, `East US`, `UK`.

use std::collections::BTreeSet;

use super::Catalog;
use super::place::Place;

/// Countries by their codes of two letters (ISO 3166-1).
const COUNTRIES: &str = "\
    AE:ARE AF:AFG AG:ATG AL:ALB AM:ARM AO:AGO AR:ARG AS:ASM AT:AUT AU:AUS AZ:AZE BA:BIH BB:BRB \
    BD:BGD BE:BEL BF:BFA BG:BGR BH:BHR BI:BDI BJ:BEN BM:BMU BN:BRN BO:BOL BR:BRA BT:BTN BW:BWA \
    BY:BLR BZ:BLZ CA:CAN CD:COD CG:COG CH:CHE CI:CIV CL:CHL CM:CMR CN:CHN CO:COL CR:CRI CU:CUB \
    CY:CYP CZ:CZE DE:DEU DJ:DJI DK:DNK DM:DMA DO:DOM DZ:DZA EC:ECU EE:EST EG:EGY ER:ERI ES:ESP \
    ET:ETH FI:FIN FJ:FJI FR:FRA GA:GAB GB:GBR GE:GEO GH:GHA GI:GIB GM:GMB GN:GIN GQ:GNQ GR:GRC \
    GT:GTM GY:GUY HK:HKG HN:HND HR:HRV HU:HUN ID:IDN IE:IRL IL:ISR IN:IND IQ:IRQ IR:IRN IS:ISL \
    IT:ITA JP:JPN KE:KEN KG:KGZ KH:KHM KM:COM KR:KOR KW:KWT KY:CYM KZ:KAZ LA:LAO LB:LBN LR:LBR \
    LT:LTU LU:LUX LV:LVA LY:LBY MA:MAR MD:MDA ME:MNE MK:MKD ML:MLI MM:MMR MN:MNG MT:MLT MU:MUS \
    MV:MDV MX:MEX MY:MYS MZ:MOZ NA:NAM NE:NER NG:NGA NI:NIC NL:NLD NO:NOR NR:NRU NZ:NZL OM:OMN \
    PA:PAN PE:PER PG:PNG PH:PHL PK:PAK PL:POL PR:PRI PT:PRT PY:PRY QA:QAT RO:ROU RS:SRB RU:RUS \
    RW:RWA SA:SAU SB:SLB SC:SYC SD:SDN SE:SWE SG:SGP SI:SVN SK:SVK SL:SLE SN:SEN SO:SOM SR:SUR \
    SS:SSD SV:SLV SZ:SWZ TC:TCA TG:TGO TH:THA TJ:TJK TL:TLS TM:TKM TN:TUN TO:TON TR:TUR TT:TTO \
    TW:TWN TZ:TZA US:USA UY:URY UZ:UZB VC:VCT VE:VEN VG:VGB VI:VIR VN:VNM VU:VUT WS:WSM YE:YEM \
    ZA:ZAF ZM:ZMB ZW:ZWE";

/// Other names of places.
const NAMES: &[(&str, &str)] = &[
    ("uk", "GBR"),
    ("greatbritain", "GBR"),
    ("britain", "GBR"),
    ("england", "GBR"),
    ("scotland", "GBR"),
    ("wales", "GBR"),
    ("eu", "OWID_EU27"),
    ("eu27", "OWID_EU27"),
    ("europeanunion", "OWID_EU27"),
    ("uae", "ARE"),
    ("korea", "KOR"),
    ("republicofkorea", "KOR"),
    ("holland", "NLD"),
    ("thenetherlands", "NLD"),
    ("czechrepublic", "CZE"),
    ("turkiye", "TUR"),
    ("america", "USA"),
    ("unitedstatesofamerica", "USA"),
    ("world", "OWID_WRL"),
    ("global", "OWID_WRL"),
];

/// Provinces of which the catalog has no grid, each with its country: a country's mean would be
/// said of a grid that may be far from it.
const PROVINCES: &[(&str, &str)] = &[
    ("alberta", "CAN"),
    ("britishcolumbia", "CAN"),
    ("manitoba", "CAN"),
    ("ontario", "CAN"),
    ("quebec", "CAN"),
    ("saskatchewan", "CAN"),
    ("newsouthwales", "AUS"),
    ("queensland", "AUS"),
    ("victoria", "AUS"),
    ("tasmania", "AUS"),
    ("bavaria", "DEU"),
    ("hesse", "DEU"),
    ("catalonia", "ESP"),
];

impl Catalog {
    /// The code of the place that a name means where it is no code itself: of a provider's region by
    /// its place or by the state or country that has one alone, else of a country or state by its
    /// code of two letters, another name, or a city where clouds have regions. `None` if it means no
    /// place, or several.
    pub fn place_called(&self, provider: Option<&str>, name: &str) -> Option<&str> {
        let provider = provider.filter(|it| !super::region::OWNED.contains(it));
        let own: Vec<&Place> =
            provider.map(|it| self.places().of(it).collect()).unwrap_or_default();
        if own.is_empty() {
            return if self.generic(name).is_some() { None } else { self.area_called(name) };
        }
        if own.iter().any(|place| place.region == name) {
            return None;
        }
        only(self.regions_called(&own, name).into_iter())
    }

    /// The codes of a provider's regions that a name may mean.
    fn regions_called<'a>(&'a self, own: &[&'a Place], name: &str) -> Vec<&'a str> {
        let wanted = letters(name);
        let area =
            self.generic(name).map(|it| it.region.as_str()).or_else(|| self.area_called(name));
        let lies = |place: &Place, area: &str| place.country == area || place.zone == area;
        // The name of a country means any of its regions, also where one of them is called so.
        let whole = self.generic(name).filter(|it| it.zone.is_empty() || it.country == it.zone);
        let ways: [&dyn Fn(&Place) -> bool; 5] = [
            &|place| letters(&place.region) == wanted,
            &|place| whole.is_some_and(|it| lies(place, &it.region)),
            &|place| parts(&place.location).any(|part| part == wanted),
            &|place| words(&place.location).any(|word| word == wanted),
            &|place| area.is_some_and(|area| lies(place, area)),
        ];
        for way in ways {
            let found: Vec<&str> =
                own.iter().filter(|place| way(place)).map(|place| place.region.as_str()).collect();
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// The codes of a provider's regions that a name may mean, for a hint.
    pub(super) fn regions_meant(&self, provider: &str, name: &str) -> Vec<&str> {
        self.regions_called(&self.places().of(provider).collect::<Vec<_>>(), name)
    }

    /// The country or state of a name that the table of places does not have.
    fn area_called(&self, name: &str) -> Option<&str> {
        let wanted = letters(name);
        let by_two = COUNTRIES
            .split(' ')
            .filter_map(|it| it.split_once(':'))
            .find(|(two, _)| two.eq_ignore_ascii_case(name))
            .map(|(_, code)| code);
        let by_name = || NAMES.iter().find(|(other, _)| *other == wanted).map(|(_, code)| *code);
        // A city is where a cloud's region is; of several regions, in the state or country of all.
        let by_city = || {
            let here = || {
                let named = |place: &&Place| parts(&place.location).any(|part| part == wanted);
                self.places().iter().filter(|place| place.provider != "*").filter(named)
            };
            let country = only(here().map(|place| place.country.as_str()))?;
            only(here().map(|place| place.zone.as_str()))
                .filter(|zone| self.generic(zone).is_some())
                .or(Some(country))
        };
        let known = |code: &str| self.generic(code).map(|it| it.region.as_str());
        by_two.or_else(by_name).and_then(known).or_else(|| by_city().and_then(known))
    }

    /// The country of a province of which the catalog has no grid.
    pub(super) fn country_of_province(name: &str) -> Option<&'static str> {
        let wanted = letters(name);
        PROVINCES.iter().find(|(province, _)| *province == wanted).map(|(_, code)| *code)
    }
}

/// The one value that all are; `None` of none or of several.
fn only<'a>(values: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let all: BTreeSet<&str> = values.collect();
    all.first().copied().filter(|_| all.len() == 1)
}

/// A name in small letters and digits, without what separates words and without accents.
fn letters(name: &str) -> String {
    let plain = |c: char| match c {
        'á' | 'à' | 'ã' | 'ā' | 'ä' | 'â' => 'a',
        'é' | 'è' | 'ê' => 'e',
        'í' => 'i',
        'ó' | 'ö' | 'õ' => 'o',
        'ú' | 'ü' => 'u',
        c => c,
    };
    let lower = name.to_lowercase().replace("northern ", "n ");
    lower.chars().map(plain).filter(char::is_ascii_alphanumeric).collect()
}

/// The whole of a location, and what stands within brackets or beside a colon: `US East (Ohio)`,
/// `Virginia: East US`.
fn parts(location: &str) -> impl Iterator<Item = String> {
    let whole = std::iter::once(location);
    whole.chain(location.split(['(', ')', ':'])).map(letters).filter(|part| !part.is_empty())
}

/// The words of a location.
fn words(location: &str) -> impl Iterator<Item = String> {
    location.split(|c: char| !c.is_alphanumeric()).map(letters).filter(|word| word.len() > 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_by_the_names_that_people_have() {
        let catalog = Catalog::embedded();
        let check = |provider: Option<&str>, name: &str, wanted: Option<&str>| {
            assert_eq!(catalog.place_called(provider, name), wanted, "{provider:?} {name}");
        };
        check(Some("aws"), "Frankfurt", Some("eu-central-1"));
        check(Some("aws"), "London", Some("eu-west-2"));
        check(Some("aws"), "N. Virginia", Some("us-east-1"));
        check(Some("aws"), "Northern Virginia", Some("us-east-1"));
        check(Some("aws"), "US East (Ohio)", Some("us-east-2"));
        check(Some("aws"), "US-EAST-1", Some("us-east-1"));
        check(Some("aws"), "us-east-1", None);
        check(Some("aws"), "Germany", Some("eu-central-1"));
        check(Some("aws"), "Canada", None);
        check(Some("gcp"), "Iowa", Some("us-central1"));
        check(Some("gcp"), "US-CENTRAL1", Some("us-central1"));
        check(Some("gcp"), "Sao Paulo", Some("southamerica-east1"));
        check(Some("azure"), "East US", Some("eastus"));
        check(Some("azure"), "UK South", Some("uksouth"));
        check(None, "DE", Some("DEU"));
        check(None, "UK", Some("GBR"));
        check(None, "EU", Some("OWID_EU27"));
        check(None, "UAE", Some("ARE"));
        check(None, "Korea", Some("KOR"));
        check(None, "Tokyo", Some("JPN"));
        check(Some("owned"), "Frankfurt", Some("DEU"));
        check(None, "FRA", None);
        check(None, "Nowhere", None);
    }
}
