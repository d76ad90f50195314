//! Axes: from data to units, with ticks, grid lines and labels.

use crate::Result;
use crate::canvas::{Anchor, BLACK, Canvas, DENSITY, FAINT, GREY, LABEL, SMALL};

/// The scale of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    Linear,
    Log,
    /// asinh of the value over this number: linear below it, logarithmic above, on both sides of 0.
    Symmetric(f64),
}

/// One axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    label: String,
    /// The values that get a label, if they are not to be chosen.
    given: Vec<f64>,
}

impl Axis {
    /// An axis over `low..high`; an empty or inverted range is widened. A logarithmic one needs positive bounds.
    pub(crate) fn new(scale: Scale, low: f64, high: f64, label: impl Into<String>) -> Axis {
        let (low, high) = match scale {
            Scale::Log => {
                let low = if low > 0.0 { low } else { 1e-3 };
                (low, if high > low { high } else { low * 10.0 })
            }
            Scale::Linear | Scale::Symmetric(_) => (low, if high > low { high } else { low + 1.0 }),
        };
        Axis { scale, low, high, label: label.into(), given: Vec::new() }
    }

    /// The axis with labels at these values, where there are any.
    pub(crate) fn with_ticks(self, given: &[f64]) -> Axis {
        Axis { given: given.to_vec(), ..self }
    }

    /// Position of `value`: 0 at the low end, 1 at the high end, clamped.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
            Scale::Symmetric(linear) => {
                let [value, low, high] = [value, self.low, self.high].map(|v| (v / linear).asinh());
                (value - low) / (high - low)
            }
        };
        share.clamp(0.0, 1.0)
    }

    /// Values that get a label, in increasing order.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        if !self.given.is_empty() {
            return self.given.clone();
        }
        match self.scale {
            Scale::Linear => linear_ticks(self.low, self.high),
            Scale::Log => log_ticks(self.low, self.high),
            Scale::Symmetric(linear) => symmetric_ticks(self.low, self.high, linear),
        }
    }
}

/// Three to six multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64) -> Vec<f64> {
    multiples(low, high, 6.0)
}

/// Multiples of 1, 2 or 5 times a power of ten, at most `parts` of their distances in the range.
fn multiples(low: f64, high: f64, parts: f64) -> Vec<f64> {
    let rough = (high - low) / parts;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|s| *s >= rough * 0.999)
        .unwrap_or(rough);
    let slack = step * 1e-6;
    let first = ((low - slack) / step).ceil() as i64;
    (first..).map(|i| i as f64 * step).take_while(|v| *v <= high + slack).collect()
}

/// Powers of ten, and 2 and 5 times them if there are few. Where that is one value or none, which shows no
/// scale, three or more multiples as on a linear axis.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let factors: &[f64] = if (high / low).log10() < 3.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let all = decades.flat_map(|e| factors.iter().map(move |f| f * 10f64.powi(e)));
    let inside: Vec<f64> = all.filter(|v| *v >= low * 0.999 && *v <= high * 1.001).collect();
    if inside.len() > 1 {
        return inside;
    }
    let mut even = [6.0, 12.0].into_iter().map(|parts| multiples(low, high, parts));
    even.find(|ticks| ticks.len() > 2).unwrap_or(inside)
}

/// 0 and powers of ten times `linear` on both sides: all of them in a short range, every second or
/// third in a long one. A range with fewer than three of them is nearly linear and gets the ticks
/// of a linear axis.
fn symmetric_ticks(low: f64, high: f64, linear: f64) -> Vec<f64> {
    let span = (high / linear).asinh() - (low / linear).asinh();
    let (first, step) = match span {
        s if s < 8.0 => (0, 1),
        s if s < 18.0 => (1, 1),
        s if s < 36.0 => (2, 2),
        _ => (3, 3),
    };
    let largest = low.abs().max(high.abs());
    let powers = (0..)
        .map(|i| linear * 10f64.powi(first + i * step))
        .take_while(|v| *v <= largest)
        .collect::<Vec<_>>();
    let negative = powers.iter().rev().map(|v| -v);
    let all = negative.chain([0.0]).chain(powers.iter().copied());
    let inside: Vec<f64> = all.filter(|v| (low..=high).contains(v)).collect();
    if inside.len() < 3 { linear_ticks(low, high) } else { inside }
}

/// The shortest form of a number that is exact to six digits.
pub(crate) fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    if rounded != 0.0 && (rounded.abs() < 1e-3 || rounded.abs() >= 1e6) {
        format!("{rounded:e}")
    } else {
        format!("{rounded}")
    }
}

/// A plot's rectangle with its axes.
pub(crate) struct Frame {
    pub(crate) left: i32,
    pub(crate) top: i32,
    pub(crate) right: i32,
    pub(crate) bottom: i32,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
}

impl Frame {
    /// Units of a data point.
    pub(crate) fn at(&self, x: f64, y: f64) -> (i32, i32) {
        (self.x_at(x), self.y_at(y))
    }

    /// Place of a value along the x axis, units.
    pub(crate) fn x_at(&self, x: f64) -> i32 {
        self.left + (self.x.at(x) * f64::from(self.right - self.left)).round() as i32
    }

    /// Height of a value, units.
    pub(crate) fn y_at(&self, y: f64) -> i32 {
        self.bottom - (self.y.at(y) * f64::from(self.bottom - self.top)).round() as i32
    }

    /// The ticks of the y axis from below, each with its height, but for those whose labels would touch the one
    /// below: multiples crowd at the logarithmic ends of an axis.
    fn y_ticks(&self) -> Vec<(f64, i32)> {
        let mut kept: Vec<(f64, i32)> = Vec::new();
        for value in self.y.ticks() {
            let y = self.y_at(value);
            if kept.last().is_none_or(|(_, below)| below - y >= SMALL) {
                kept.push((value, y));
            }
        }
        kept
    }

    /// Grid lines, tick labels and the label of the y axis; the box around the plot.
    pub(crate) fn draw_y(&self, canvas: &Canvas<'_>) -> Result<()> {
        let mut widest = 0;
        for (value, y) in self.y_ticks() {
            let text = short(value);
            canvas.line(vec![(self.left, y), (self.right, y)], FAINT, DENSITY)?;
            canvas.text((self.left - 6 * DENSITY, y), &text, SMALL, BLACK, Anchor::Right)?;
            widest = widest.max(canvas.text_width(&text, SMALL)?);
        }
        canvas.outline((self.left, self.top), (self.right, self.bottom), GREY)?;
        let x = self.left - widest - 18 * DENSITY;
        canvas.text((x, (self.top + self.bottom) / 2), &self.y.label, LABEL, BLACK, Anchor::Upwards)
    }

    /// Ticks, the labels that have room beside each other, and the label of the x axis.
    pub(crate) fn draw_x(&self, canvas: &Canvas<'_>) -> Result<()> {
        let mut free_from = i32::MIN;
        for value in self.x.ticks() {
            let ((x, _), text) = (self.at(value, 0.0), short(value));
            canvas.line(vec![(x, self.bottom), (x, self.bottom + 4 * DENSITY)], GREY, DENSITY)?;
            let half = canvas.text_width(&text, SMALL)? / 2;
            if x - half >= free_from {
                canvas.text(
                    (x, self.bottom + 6 * DENSITY),
                    &text,
                    SMALL,
                    BLACK,
                    Anchor::TopCentre,
                )?;
                free_from = x + half + 5 * DENSITY;
            }
        }
        let middle = (self.left + self.right) / 2;
        canvas.text(
            (middle, self.bottom + 26 * DENSITY),
            &self.x.label,
            LABEL,
            BLACK,
            Anchor::TopCentre,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(Axis::new(Scale::Linear, 0.0, 8.5, "").ticks(), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(
            Axis::new(Scale::Linear, 0.95, 1.2, "")
                .ticks()
                .iter()
                .map(|v| short(*v))
                .collect::<Vec<_>>(),
            ["0.95", "1", "1.05", "1.1", "1.15", "1.2"]
        );
        assert_eq!(
            Axis::new(Scale::Log, 10.0, 200.0, "").ticks(),
            [10.0, 20.0, 50.0, 100.0, 200.0]
        );
        assert_eq!(
            Axis::new(Scale::Log, 1.0, 1e4, "").ticks(),
            [1.0, 10.0, 100.0, 1000.0, 10000.0]
        );
    }

    #[test]
    fn a_narrow_log_axis_has_ticks_that_show_its_scale() {
        let ticks = |low, high| Axis::new(Scale::Log, low, high, "").ticks();
        assert_eq!(ticks(16.0, 47.0), [20.0, 30.0, 40.0], "20 alone among 1, 2 and 5");
        assert_eq!(ticks(51.0, 63.0), [52.0, 54.0, 56.0, 58.0, 60.0, 62.0], "none of them");
        assert_eq!(ticks(16.0, 28.06), [16.0, 18.0, 20.0, 22.0, 24.0, 26.0, 28.0], "not 20, 25");
        assert_eq!(ticks(15.0, 55.0), [20.0, 50.0], "two stay");
    }

    #[test]
    fn labels_of_the_y_axis_do_not_lie_on_each_other() {
        let frame = |y| Frame {
            left: 0,
            top: 0,
            right: 100,
            bottom: 230,
            x: Axis::new(Scale::Linear, 0.0, 1.0, ""),
            y,
        };
        let values = |y| frame(y).y_ticks().into_iter().map(|(v, _)| v).collect::<Vec<_>>();
        let crowded = Axis::new(Scale::Symmetric(1.0), 0.3, 10.5, "");
        assert_eq!(crowded.ticks(), [2.0, 4.0, 6.0, 8.0, 10.0]);
        let kept = frame(crowded.clone()).y_ticks();
        assert!(kept.windows(2).all(|pair| pair[0].1 - pair[1].1 >= SMALL), "{kept:?}");
        assert!((3..5).contains(&values(crowded).len()));
        let even = Axis::new(Scale::Linear, 0.0, 10.0, "");
        assert_eq!(values(even.clone()), even.ticks(), "where there is room, all stay");
    }

    #[test]
    fn a_symmetric_axis_shows_small_values_beside_large_ones_of_either_sign() {
        let axis = Axis::new(Scale::Symmetric(0.01), -10.0, 10.0, "");
        assert!((axis.at(0.0) - 0.5).abs() < 1e-12);
        assert!((axis.at(1.0) + axis.at(-1.0) - 1.0).abs() < 1e-12);
        assert!(axis.at(0.1) > 0.65, "a tenth is well apart from 0");
        let texts: Vec<String> = axis.ticks().into_iter().map(short).collect();
        assert_eq!(texts, ["-10", "-1", "-0.1", "0", "0.1", "1", "10"]);
        let positive = Axis::new(Scale::Symmetric(1.0), 0.0, 30.0, "");
        assert_eq!(positive.ticks(), [0.0, 1.0, 10.0]);
        let narrow = Axis::new(Scale::Symmetric(1.0), 0.5, 2.2, "");
        assert_eq!(narrow.ticks(), [0.5, 1.0, 1.5, 2.0], "one power of ten would be one tick");
    }

    #[test]
    fn a_log_axis_is_even_in_ratios_and_survives_zero() {
        let axis = Axis::new(Scale::Log, 1.0, 100.0, "");
        assert!((axis.at(10.0) - 0.5).abs() < 1e-12);
        assert_eq!(axis.at(0.0), 0.0);
        assert!(Axis::new(Scale::Log, 0.0, 0.0, "").at(1.0).is_finite());
        assert!(Axis::new(Scale::Linear, 2.0, 2.0, "").at(2.0).is_finite());
    }
}
