//! Work that would hold up whoever waits on the same thread.

/// Runs what takes long where it holds up nobody else; on a runtime of one thread there is no such place.
///
/// # Errors
/// If it panics there.
pub async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    match tokio::runtime::Handle::current().runtime_flavor() {
        tokio::runtime::RuntimeFlavor::CurrentThread => Ok(work()),
        tokio::runtime::RuntimeFlavor::MultiThread | _ => tokio::task::spawn_blocking(work).await,
    }
}
