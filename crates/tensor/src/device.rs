//! Choosing the device by name.

use crate::{Error, Result};
use candle_core::Device;

/// `cpu`, `cuda` or `cuda:N`.
///
/// # Errors
/// An unknown name; a GPU that does not answer; a build without the feature `cuda`, with the command that builds one.
pub fn parse_device(text: &str) -> Result<Device> {
    let refuse = |reason: &str| Error::Device { name: text.into(), reason: reason.into() };
    let ordinal = match text.split_once(':') {
        None if text == "cpu" => return Ok(Device::Cpu),
        None if text == "cuda" => 0,
        Some(("cuda", n)) => {
            n.parse().map_err(|_| refuse("the part after `cuda:` must be a number"))?
        }
        _ => return Err(refuse("unknown; use cpu, cuda or cuda:N")),
    };
    if !cfg!(feature = "cuda") {
        return Err(refuse(
            "this build has no CUDA support; build it with `cargo build --release --features cuda` where the CUDA toolkit is",
        ));
    }
    Ok(Device::new_cuda(ordinal)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(parse_device("cpu").unwrap().is_cpu());
        assert!(parse_device("gpu").unwrap_err().to_string().contains("use cpu"));
        assert!(parse_device("cuda:x").is_err());
        #[cfg(not(feature = "cuda"))]
        assert!(parse_device("cuda:0").unwrap_err().to_string().contains("--features cuda"));
    }
}
