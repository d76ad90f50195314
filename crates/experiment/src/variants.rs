//! The variants of an enum, for tests of what must name each of them.

use serde::de::DeserializeOwned;

/// The names of all variants, as serde reads them: its error for another name lists them.
pub(crate) fn variants<T: DeserializeOwned>() -> Vec<String> {
    let Err(error) = serde_json::from_value::<T>("".into()) else { return Vec::new() };
    error.to_string().split('`').skip(3).step_by(2).map(String::from).collect()
}
