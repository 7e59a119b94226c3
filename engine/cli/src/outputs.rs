//! `--output FORMAT=FILE`: what is printed can also be kept, in several formats at once.

use anyhow::Context as _;
use clap::ValueEnum;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// One `FORMAT=FILE`.
#[derive(Debug, Clone)]
pub(crate) struct Output<F> {
    /// In which format.
    pub(crate) format: F,
    /// Where.
    pub(crate) file: PathBuf,
}

impl<F: ValueEnum> FromStr for Output<F> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = text
            .split_once('=')
            .ok_or("write FORMAT=FILE, e.g. sarif=findings.sarif")?;
        if file.is_empty() {
            return Err("the file's name is missing".to_owned());
        }
        let format = F::from_str(format, true).map_err(|_| {
            let known = F::value_variants()
                .iter()
                .filter_map(ValueEnum::to_possible_value);
            let known: Vec<String> = known.map(|value| value.get_name().to_owned()).collect();
            format!(
                "`{format}` is not a format; there are: {}",
                known.join(", ")
            )
        })?;
        Ok(Self {
            format,
            file: PathBuf::from(file),
        })
    }
}

/// Writes a kept output, with the folders above it.
pub(crate) fn keep(file: &Path, text: &str) -> anyhow::Result<()> {
    let write = || {
        if let Some(folder) = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, text)
    };
    write().with_context(|| format!("cannot write `{}`", file.display()))
}
