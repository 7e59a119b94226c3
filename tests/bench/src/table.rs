//! Printing.

use std::time::Duration;

/// Prints one line of figures.
#[expect(clippy::print_stdout, reason = "figures are this program's output")]
pub(crate) fn row(cells: &[(&str, String)]) {
    let text: Vec<String> = cells
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    println!("  {}", text.join(" · "));
}

/// Prints a heading.
#[expect(clippy::print_stdout, reason = "figures are this program's output")]
pub(crate) fn heading(text: &str) {
    println!("\n{text}");
}

/// Says what went wrong.
#[expect(clippy::print_stderr, reason = "for people")]
pub(crate) fn complain(text: &str) {
    eprintln!("error: {text}");
}

/// The middle one; of an even number the lower middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(0.0)
}

/// Whole numbers with thousands apart.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds with one place.
pub(crate) fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
