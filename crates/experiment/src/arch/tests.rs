//! Widths, sides and parameter counts against the paper's tables, added up by hand.

use super::*;

fn of(architecture: Architecture) -> ArchSpec {
    architecture.layers(&Sizes::new(architecture.paper_side(), 1)).unwrap()
}

fn conditional(
    architecture: Architecture,
    conditioning: Conditioning,
    n_classes: usize,
) -> ArchSpec {
    architecture
        .layers(&Sizes { conditioning, n_classes, ..Sizes::new(architecture.paper_side(), 1) })
        .unwrap()
}

fn blocks(steps: &[Step]) -> Vec<[usize; 3]> {
    steps
        .iter()
        .filter_map(|s| if let Step::Block(b) = s { Some(b.output) } else { None })
        .collect()
}

/// Weights and bias of a convolution.
fn conv(input: usize, output: usize, kernel: usize) -> usize {
    input * output * kernel * kernel + output
}

/// Two batch normalizations, two 3x3 convolutions and a shortcut.
fn up(input: usize, output: usize) -> usize {
    2 * input
        + conv(input, output, 3)
        + 2 * output
        + conv(output, output, 3)
        + conv(input, output, 1)
}

fn down(input: usize, output: usize) -> usize {
    conv(input, input, 3) + conv(input, output, 3) + conv(input, output, 1)
}

fn first(output: usize) -> usize {
    conv(3, output, 3) + conv(output, output, 3) + conv(3, output, 1)
}

#[test]
fn table_3_widths_and_sides() {
    let spec = of(Architecture::StandardCnn);
    let out: Vec<_> = spec.discriminator_layers().iter().map(|l| l.output).collect();
    assert_eq!((out[1], out[6]), ([64, 16, 16], [512, 4, 4]));
    let g = spec.generator_layers();
    assert_eq!((g[0].output, g[4].output), ([512, 4, 4], [3, 32, 32]));
    // 128·8192+8192 + 512·256·16+256 + 256·128·16+128 + 128·64·16+64 + 64·3·9+3, and γ, β of 448 channels.
    assert_eq!(
        spec.generator_parameters(),
        1_056_768 + 2_097_408 + 524_416 + 131_136 + 1_731 + 2 * 448
    );
    assert_eq!(spec.discriminator_parameters(), 2_935_873);
}

#[test]
fn the_authors_version_of_table_3() {
    let spec = of(Architecture::StandardCnnCgl);
    let widths: Vec<_> = spec.discriminator_layers().iter().map(|l| l.kind.outputs()).collect();
    assert_eq!(widths, [64, 128, 128, 256, 256, 512, 512, 1]);
    // As Table 3's, with γ and β of the dense layer's 8,192 features.
    assert_eq!(
        spec.generator_parameters(),
        of(Architecture::StandardCnn).generator_parameters() + 2 * 8192
    );
    assert_eq!(spec.discriminator_layers()[0].activation, Activation::LeakyRelu { slope: 0.2 });
}

#[test]
fn table_4_cifar10() {
    let spec = of(Architecture::ResnetCifar10);
    assert_eq!(blocks(&spec.generator), [[256, 8, 8], [256, 16, 16], [256, 32, 32]]);
    assert_eq!(blocks(&spec.discriminator), [[128, 16, 16], [128, 8, 8], [128, 8, 8], [128, 8, 8]]);
    assert_eq!(
        spec.generator_parameters(),
        129 * 4096 + 3 * up(256, 256) + 2 * 256 + conv(256, 3, 3)
    );
    // The dense layer has no bias; blocks that keep side and width have no shortcut convolution.
    assert_eq!(
        spec.discriminator_parameters(),
        first(128) + down(128, 128) + 2 * 2 * conv(128, 128, 3) + 128
    );
    assert_eq!(
        (spec.generator_parameters(), spec.discriminator_parameters()),
        (4_276_739, 1_053_824)
    );
    assert_eq!(spec.head.pooling, Pooling::Sum);
}

#[test]
fn table_5_stl10() {
    let spec = of(Architecture::ResnetStl10);
    assert_eq!(blocks(&spec.generator), [[256, 12, 12], [128, 24, 24], [64, 48, 48]]);
    assert_eq!(
        blocks(&spec.discriminator),
        [[64, 24, 24], [128, 12, 12], [256, 6, 6], [512, 3, 3], [1024, 3, 3]]
    );
    let g = 129 * 36 * 512 + up(512, 256) + up(256, 128) + up(128, 64) + 2 * 64 + conv(64, 3, 3);
    assert_eq!(spec.generator_parameters(), g);
    let d = first(64) + down(64, 128) + down(128, 256) + down(256, 512) + down(512, 1024) + 1025;
    assert_eq!(spec.discriminator_parameters(), d);
}

#[test]
fn table_6_imagenet_with_and_without_labels() {
    let spec = of(Architecture::ResnetImagenet);
    assert_eq!(
        blocks(&spec.generator),
        [[1024, 8, 8], [512, 16, 16], [256, 32, 32], [128, 64, 64], [64, 128, 128]]
    );
    let out = [[64, 64, 64], [128, 32, 32], [256, 16, 16], [512, 8, 8], [1024, 4, 4], [1024, 4, 4]];
    assert_eq!(blocks(&spec.discriminator), out);
    let g = 129 * 16_384
        + up(1024, 1024)
        + up(1024, 512)
        + up(512, 256)
        + up(256, 128)
        + up(128, 64)
        + 128
        + conv(64, 3, 3);
    assert_eq!(spec.generator_parameters(), g);
    let to_1024 = first(64) + down(64, 128) + down(128, 256) + down(256, 512) + down(512, 1024);
    let keep = 2 * conv(1024, 1024, 3);
    assert_eq!(spec.discriminator_parameters(), to_1024 + keep + 1025);

    let projection = conditional(Architecture::ResnetImagenet, Conditioning::Projection, 1000);
    // Every class has γ and β of its own in the blocks; the last batch normalization has one for all.
    let channels = (1024 + 1024) + (1024 + 512) + (512 + 256) + (256 + 128) + (128 + 64);
    assert_eq!(projection.generator_parameters(), g + 999 * 2 * channels);
    assert_eq!(projection.discriminator_parameters(), to_1024 + keep + 1025 + 1000 * 1024);

    let concat = conditional(Architecture::ResnetImagenet, Conditioning::Concat, 1000);
    assert_eq!(
        concat.discriminator[3],
        Step::Concat(
            concat
                .discriminator_layers()
                .into_iter()
                .find(|l| l.name == "embedding")
                .unwrap()
                .clone()
        )
    );
    let d = to_1024 - down(256, 512) + down(256 + 128, 512) + keep + 1025 + 1000 * 128;
    assert_eq!(concat.discriminator_parameters(), d);
}

#[test]
fn the_authors_64x64_network() {
    let spec = of(Architecture::Resnet64);
    assert_eq!(blocks(&spec.generator), [[512, 8, 8], [256, 16, 16], [128, 32, 32], [64, 64, 64]]);
    assert_eq!(
        blocks(&spec.discriminator),
        [[64, 32, 32], [128, 16, 16], [256, 8, 8], [512, 4, 4], [1024, 2, 2]]
    );
    let g = 129 * 16_384
        + up(1024, 512)
        + up(512, 256)
        + up(256, 128)
        + up(128, 64)
        + 2 * 64
        + conv(64, 3, 3);
    assert_eq!(spec.generator_parameters(), g);
    let d = first(64) + down(64, 128) + down(128, 256) + down(256, 512) + down(512, 1024) + 1025;
    assert_eq!(spec.discriminator_parameters(), d);
}

#[test]
fn tables_7_and_8() {
    let spec = of(Architecture::ResnetGulrajani);
    assert_eq!(
        spec.generator_parameters(),
        129 * 2048 + 3 * up(128, 128) + 2 * 128 + conv(128, 3, 3)
    );
    assert_eq!(
        spec.discriminator_parameters(),
        first(128) + down(128, 128) + 4 * conv(128, 128, 3) + 129
    );
    assert_eq!(spec.head.pooling, Pooling::Mean);
    let sizes = Sizes {
        dis_width_factor: 1.5,
        conditioning: Conditioning::AcGan,
        n_classes: 10,
        ..Sizes::new(32, 1)
    };
    let wide = Architecture::ResnetGulrajani.layers(&sizes).unwrap();
    let d = first(192) + down(192, 192) + 4 * conv(192, 192, 3) + 193 + 10 * 193;
    assert_eq!(wide.discriminator_parameters(), d);
    assert_eq!(wide.generator_parameters(), spec.generator_parameters() + 9 * 2 * 6 * 128);
}

#[test]
fn figure_4_scales_both_ends_of_the_seventh_convolution() {
    for (factor, ends) in [(0.5, [128, 256]), (8.0, [2048, 4096])] {
        let spec = Architecture::StandardCnn
            .layers(&Sizes { last_conv_factor: factor, ..Sizes::new(48, 1) })
            .unwrap();
        let layers = spec.discriminator_layers();
        assert_eq!(
            layers[6].kind,
            LayerKind::Conv { input: ends[0], output: ends[1], kernel: 3, stride: 1, padding: 1 }
        );
        assert_eq!((layers[5].kind.outputs(), layers[7].kind.weights()), (ends[0], 36 * ends[1]));
    }
}

#[test]
fn refuses_sizes_that_do_not_fit() {
    let refused = |architecture: Architecture, sizes: Sizes, key: &str| {
        let said = architecture.layers(&sizes).unwrap_err().to_string();
        assert!(said.contains(&format!("`{key}`")), "{said}");
    };
    refused(Architecture::StandardCnn, Sizes::new(20, 1), "side");
    refused(Architecture::ResnetStl10, Sizes::new(24, 1), "side");
    refused(Architecture::ResnetImagenet, Sizes::new(48, 1), "side");
    refused(Architecture::StandardCnn, Sizes::new(32, 3), "width_divisor");
    refused(
        Architecture::ResnetStl10,
        Sizes { dis_width_factor: 1.5, ..Sizes::new(48, 64) },
        "dis_width_factor",
    );
    refused(
        Architecture::ResnetStl10,
        Sizes { last_conv_factor: 2.0, ..Sizes::new(48, 1) },
        "last_conv_factor",
    );
    refused(
        Architecture::ResnetStl10,
        Sizes { conditioning: Conditioning::Concat, ..Sizes::new(48, 1) },
        "n_classes",
    );
}

/// Every layer of every network has a name of its own: checkpoints are read by names.
#[test]
fn names_are_unique() {
    for architecture in Architecture::ALL {
        for conditioning in [
            Conditioning::None,
            Conditioning::Concat,
            Conditioning::Projection,
            Conditioning::AcGan,
        ] {
            let spec = conditional(
                architecture,
                conditioning,
                if conditioning == Conditioning::None { 0 } else { 10 },
            );
            for layers in [spec.generator_layers(), spec.discriminator_layers()] {
                let mut names: Vec<_> = layers.iter().map(|l| &l.name).collect();
                let all = names.len();
                names.sort();
                names.dedup();
                assert_eq!(names.len(), all, "{architecture:?} {conditioning:?}");
            }
        }
    }
}

#[test]
fn a_side_has_its_networks() {
    let of = |side| Architecture::for_side(side).map(Architecture::name).map_err(|e| e.to_string());
    for (side, name) in [
        (8, "standard-cnn"),
        (32, "standard-cnn"),
        (48, "standard-cnn"),
        (64, "resnet-64"),
        (72, "standard-cnn"),
        (96, "resnet-64"),
        (128, "resnet-imagenet"),
    ] {
        assert_eq!(of(side), Ok(name));
    }
    assert!(of(20).unwrap_err().contains("multiple of 8") && of(0).is_err());
}
