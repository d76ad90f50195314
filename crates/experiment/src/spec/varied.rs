//! Names of runs that differ in listed values: `SN, batch=32` in setting `lr=0.0004`.

use super::RunSpec;
use super::names::without_ending;

/// The setting of a run that names none.
pub(crate) const DEFAULT_SETTING: &str = "C";

/// Keys whose values are a setting.
const OF_SETTINGS: [&str; 4] = ["lr", "beta1", "beta2", "n_dis"];
/// Keys that a derived label follows by itself.
const OF_LABELS: [&str; 5] = ["method", "normalization", "gamma", "regularizer", "loss"];
/// Keys that name a run already.
const NAMES: [&str; 3] = ["label", "setting", "seed"];

/// A value that tells runs of one row from each other, by which they are named: `batch=32`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Varied {
    key: String,
    text: String,
}

impl Varied {
    pub(crate) fn new(key: &str, value: &str) -> Varied {
        Varied { key: key.into(), text: format!("{key}={value}") }
    }

    fn is_one_of(&self, keys: &[&str]) -> bool {
        keys.contains(&self.key.as_str())
    }
}

impl RunSpec {
    /// Names the run after the values that vary in its experiment: the setting after those of the
    /// optimizer, within the file's setting if there are several, the label after the others. Its
    /// identity has these names.
    pub(crate) fn name_varied(&mut self, varied: &[Varied], setting: Option<&str>) {
        let label = without_ending(&self.label).to_string();
        let follows = label == self.derived_label();
        let of_setting = varied.iter().filter(|v| v.is_one_of(&OF_SETTINGS));
        let of_label = varied.iter().filter(|v| {
            let named = v.is_one_of(&NAMES) || v.is_one_of(&OF_SETTINGS);
            let is_said = follows && v.is_one_of(&OF_LABELS);
            !(named || is_said)
        });
        let of_setting: Vec<&str> = of_setting.map(|v| v.text.as_str()).collect();
        let of_label: Vec<&str> = of_label.map(|v| v.text.as_str()).collect();
        if of_setting.is_empty() && of_label.is_empty() {
            return;
        }
        if !of_setting.is_empty() {
            self.setting = setting.into_iter().chain(of_setting).collect::<Vec<_>>().join(", ");
        }
        self.label = [label.as_str()].into_iter().chain(of_label).collect::<Vec<_>>().join(", ");
        self.id_names = None;
        self.name_truly();
    }
}

/// Whether a label is the derived one with values that vary behind it.
pub(super) fn says_what_varies(label: &str, derived: &str) -> bool {
    let varied = label.strip_prefix(derived).and_then(|rest| rest.strip_prefix(", "));
    varied.is_some_and(|rest| rest.split(", ").all(|part| part.contains('=')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::Method;

    #[test]
    fn runs_are_named_after_what_varies_and_truly() {
        let named = |set: &[(&str, &str)], within: Option<&str>| {
            let mut spec = RunSpec::paper(Method::Sn);
            set.iter().for_each(|(key, value)| spec.set(key, value).unwrap());
            let varied: Vec<Varied> = set.iter().map(|(k, v)| Varied::new(k, v)).collect();
            spec.name_varied(&varied, within);
            (spec.label, spec.setting)
        };
        let names = |label: &str, setting: &str| (label.to_string(), setting.to_string());
        assert_eq!(named(&[("seed", "3")], None), names("SN", "C"));
        assert_eq!(named(&[("lr", "0.0001")], None), names("SN", "lr=0.0001"));
        assert_eq!(named(&[("lr", "0.0001")], Some("A")), names("SN", "A, lr=0.0001"));
        assert_eq!(named(&[("batch", "32")], None), names("SN, batch=32", "C"));
        assert_eq!(
            named(&[("batch", "32"), ("loss", "hinge")], None),
            names("SN, hinge, batch=32", "C")
        );
        assert_eq!(
            named(&[("label", "mine"), ("gen_batch", "8")], None),
            names("mine, gen_batch=8", "C")
        );
        assert!(says_what_varies("SN γ + GP, Wasserstein, batch=32", "SN γ + GP, Wasserstein"));
        assert!(!says_what_varies("SN, hinge", "SN"));
    }
}
