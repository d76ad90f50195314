use super::*;
use crate::variants::variants;
use std::collections::BTreeSet;

#[test]
fn every_metric_is_listed_and_has_a_protocol_that_is_read() {
    assert_eq!(
        BTreeSet::from(Metric::ALL.map(|m| m.name().to_string())),
        variants::<Metric>().into_iter().collect()
    );
    let real = Against { part: ReferenceKind::Reference, n: 2000 };
    for metric in Metric::ALL {
        let name = metric.usual(2000, 5, Some(real)).unwrap();
        assert_eq!(name.metric(), metric);
        assert_eq!(name.to_string().parse::<ProtocolName>().unwrap(), name);
        assert!(EXAMPLES.contains(&format!("{}_", metric.name())), "{}", metric.name());
        let without = metric.usual(2000, 5, None);
        assert_eq!(without.is_none(), name.against().is_some(), "{}", metric.name());
    }
}

#[test]
fn names_are_read_and_written_alike() {
    let names = [
        "is_5k_x10",
        "is_2k_split5",
        "is_70_split2",
        "fid_5k_test10k",
        "fid_50k_train50k",
        "fid_2k_ref2k",
        "fid_2k_images1234",
        "fid_2k_stats",
        "kid_5k_test10k_100x1k",
        "precision_10k_test10k_k3",
        "recall_10k_ref2k_k5",
        "ms-ssim_10k_pairs100",
        "intra-fid_50k_train50k",
    ];
    for name in names {
        let read: ProtocolName = name.parse().unwrap();
        assert_eq!(read.to_string(), name);
        assert!(name.starts_with(read.metric().name()), "{name}");
    }
    assert_eq!("is_5000_x10".parse::<ProtocolName>().unwrap(), "is_5k_x10".parse().unwrap());
}

#[test]
fn a_name_says_how_many_images_it_needs() {
    let needs = |name: &str| {
        let name: ProtocolName = name.parse().unwrap();
        (name.samples(), name.against().map_or(0, |a| a.n), name.repeats())
    };
    assert_eq!(needs("is_5k_x10"), (50_000, 0, 10));
    assert_eq!(needs("is_2k_split5"), (2_000, 0, 5));
    assert_eq!(needs("fid_5k_test10k"), (5_000, 10_000, 1));
    assert_eq!(needs("kid_5k_test10k_100x1k"), (5_000, 10_000, 100));
}

#[test]
fn wrong_names_are_refused_with_what_would_be_right() {
    let message = |name: &str| name.parse::<ProtocolName>().unwrap_err().to_string();
    assert!(message("fid").contains("such as is_5k_x10"));
    assert!(message("fid_5k_exam10k").contains("names no real images"));
    assert!(message("fid_+5_ref2k").contains("no count"));
    assert!(message("is_0_split5").contains("no count"));
    assert!(message("is_99999999999999999999k_x2").contains("no count"));
    assert!(message("is_4_split5").contains("cannot be cut"));
    assert!(message("kid_500_test10k_100x1k").contains("at most the 500"));
    assert!(message("kid_5k_stats_100x1k").contains("statistics serve FID alone"));
    assert!(message("recall_3_ref2k_k3").contains("no neighbour"));
}
