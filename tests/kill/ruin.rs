//! What is wrong with the store's folder when the engine starts: each has one clear outcome.

use super::lab::Lab;
use super::{Mode, PAIRINGS, World};
use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// A lab whose engine has worked and is gone, killed.
async fn used() -> (World, Lab) {
    let mut world = World::start(PAIRINGS[0], Mode::Fast.options(1, 30))
        .await
        .unwrap();
    let lab = Lab::new(&world);
    let mut engine = lab.start();
    for table in &lab.tables {
        let file = format!("{table}.csv");
        lab.fine(
            &["crosswalk", "import", &file, "--reason", "first load"],
            "",
        );
    }
    world.send_to(&format!("http://{}", lab.webhooks));
    world.run(|_| {}).await.unwrap();
    assert!(world.settle(Duration::from_secs(60), |_| {}).await && lab.rests().await);
    engine.kill().unwrap();
    engine.wait().unwrap();
    (world, lab)
}

/// The journal's last file.
fn journal(lab: &Lab) -> PathBuf {
    let files = std::fs::read_dir(lab.sealed.path("data/journal")).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.pop().unwrap()
}

/// How the books and the engine's own account look after a start and an orderly stop.
async fn goes_on(world: &World, lab: &Lab) -> Vec<String> {
    let engine = lab.start();
    assert!(lab.rests().await);
    lab.stop(engine, true);
    let (_, mut wrong) = lab.account(&world.progress());
    let differences = world.books().differences;
    wrong.extend(differences.iter().map(|one| format!("{one:?}")));
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_last_write_is_cut_off_and_said_and_damage_is_refused_by_the_file_it_is_in() {
    let (world, lab) = used().await;
    let file = journal(&lab);

    // The power failed in the middle of a write that nobody was told of.
    let mut torn = OpenOptions::new().append(true).open(&file).unwrap();
    torn.write_all(&[0x5a; 50]).unwrap();
    drop(torn);
    assert_eq!(goes_on(&world, &lab).await, [""; 0]);
    let log = lab.log();
    assert!(
        log.contains("50 bytes of a write that was never finished"),
        "{log}"
    );

    // The disk turned a bit of what was stored long ago, and the index, which knows more than that, is gone.
    let whole = std::fs::read(&file).unwrap();
    let middle = whole.len() as u64 / 2;
    let mut bad = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&file)
        .unwrap();
    let mut byte = [0];
    bad.seek(SeekFrom::Start(middle)).unwrap();
    bad.read_exact(&mut byte).unwrap();
    bad.seek(SeekFrom::Start(middle)).unwrap();
    bad.write_all(&[byte[0] ^ 4]).unwrap();
    drop(bad);
    let found = lab.sealed.run(&["audit", "verify"]);
    assert_eq!(found.code, 1, "{found:?}");
    let index = lab.sealed.path("data/index");
    std::fs::remove_dir_all(&index).unwrap();
    let refused = lab.sealed.run(&["run"]);
    let name = file.file_name().unwrap().to_str().unwrap();
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(
        refused.err.contains(name) && refused.err.contains("restore the file from a copy"),
        "{refused:?}"
    );
    // The copy is restored, and everything is there.
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(goes_on(&world, &lab).await, [""; 0]);

    // Somebody cut the file: the index knows that there was more.
    let whole = std::fs::read(&file).unwrap();
    let cut = OpenOptions::new().write(true).open(&file).unwrap();
    cut.set_len(whole.len() as u64 - 700).unwrap();
    drop(cut);
    let engine = lab.start();
    lab.stop(engine, true);
    let log = lab.log();
    assert!(log.contains("records are missing"), "{log}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_written_refuses_the_start_by_name() {
    let (world, lab) = used().await;
    let data = lab.sealed.path("data");
    // Whoever may write everywhere needs a mount that nobody may write to.
    let script = "mount --bind data data && mount -o remount,bind,ro data && exec \"$@\"";
    let engine = lab.sealed.command(["run"]);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--map-root-user", "sh", "-c", script, "sh"])
        .arg(engine.get_program())
        .args(engine.get_args())
        .env("HOME", lab.sealed.path(""))
        .current_dir(lab.sealed.path(""));
    let probe = Command::new("unshare")
        .args([
            "--mount",
            "--map-root-user",
            "sh",
            "-c",
            "mount --bind . . && mount -o remount,bind,ro .",
        ])
        .current_dir(&data)
        .output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        println!("not tried: this machine does not let us mount");
        world.stop().await;
        return;
    }
    let refused = command.output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(
        said.contains("data") && said.contains("may be written"),
        "{said}"
    );
    assert_eq!(goes_on(&world, &lab).await, [""; 0]);
    world.stop().await;
}
