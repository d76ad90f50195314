//! What an update costs a GPU besides arithmetic.

use sngan_cuda::launch::launches;
use sngan_cuda::program::Program;
use sngan_experiment::RunSpec;
use sngan_experiment::method::Method;

/// Kernels, convolutions and products of one update of G and one of D.
fn both(method: Method) -> usize {
    launches(&RunSpec::paper(method)).unwrap().iter().sum()
}

#[test]
fn an_update_of_sn_needs_at_most_170_launches() {
    let n = both(Method::Sn);
    println!("SN: {n}; WGAN-GP: {}", both(Method::WganGp));
    assert!(n <= 170, "{n}");
}

#[test]
fn passing_buffers_share_their_places() {
    let program = Program::of(&RunSpec::paper(Method::Sn)).unwrap();
    let (all, kept) = (program.layout.len(), program.layout.kept());
    println!("kept {} MiB, all {} MiB", kept >> 18, all >> 18);
    // D's maps of 128 images and their gradients alone are 2 · 19.4 million elements where nothing shares.
    assert!(all - kept < 50_000_000, "{}", all - kept);
}
