//! Secret values from a person or a program, never from arguments: those stand in shell histories and process lists.

use crate::failure::{advise, usage};
use crate::terminal::Terminal;
use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

/// The longest value taken, in bytes: a private key in PEM form fits many times over.
const SECRET_BYTES_MAX: usize = 64 * 1024;

/// Reads a secret: asked for twice on a terminal without showing it, else the whole of stdin without its last line end.
pub(crate) fn secret(terminal: &mut Terminal, name: &str) -> anyhow::Result<SecretString> {
    let value = if terminal.can_ask() {
        asked_twice(name)?
    } else {
        from_input(terminal)?
    };
    if value.expose_secret().is_empty() {
        return Err(usage(format!("the value of `{name}` is empty")));
    }
    if value.expose_secret().contains('\0') {
        return Err(usage(format!("the value of `{name}` contains a zero byte")));
    }
    Ok(value)
}

/// Reads a secret that is worth nothing once it was used: asked for once, else the whole of stdin.
pub(crate) fn once(terminal: &mut Terminal, what: &str) -> anyhow::Result<SecretString> {
    if terminal.can_ask() {
        prompt(format!("{what}: "))
    } else {
        from_input(terminal)
    }
}

fn prompt(text: String) -> anyhow::Result<SecretString> {
    rpassword::prompt_password(text)
        .map(SecretString::from)
        .context("cannot read from the terminal")
}

fn asked_twice(name: &str) -> anyhow::Result<SecretString> {
    let first = prompt(format!("Value of {name}: "))?;
    let second = prompt(format!("Value of {name} again: "))?;
    if first.expose_secret() == second.expose_secret() {
        Ok(first)
    } else {
        Err(usage("the two values differ; nothing was stored"))
    }
}

fn from_input(terminal: &mut Terminal) -> anyhow::Result<SecretString> {
    let bytes = Zeroizing::new(terminal.read_input().context("cannot read stdin")?);
    if bytes.len() > SECRET_BYTES_MAX {
        return Err(usage(format!(
            "the value on stdin is longer than {SECRET_BYTES_MAX} bytes; is it the right file?"
        )));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        advise(
            "the value on stdin is not UTF-8",
            "encode a binary secret as its system expects it, e.g. base64",
        )
    })?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(SecretString::from(text.strip_suffix('\r').unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::secret;
    use crate::terminal::capture::captured;
    use secrecy::ExposeSecret as _;

    fn read(input: &str) -> Result<String, String> {
        let (mut terminal, _, _) = captured(input);
        secret(&mut terminal, "hook")
            .map(|value| value.expose_secret().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn only_the_last_line_end_is_not_part_of_the_value() {
        assert_eq!(read("s3cret\n").unwrap(), "s3cret");
        assert_eq!(read("s3cret\r\n").unwrap(), "s3cret");
        assert_eq!(read(" two\nlines \n\n").unwrap(), " two\nlines \n");
    }

    #[test]
    fn nothing_is_not_a_value_and_a_refusal_never_shows_it() {
        assert_eq!(read("\n").unwrap_err(), "the value of `hook` is empty");
        let refusal = read("s3cret\0").unwrap_err();
        assert!(!refusal.contains("s3cret"), "{refusal}");
    }
}
