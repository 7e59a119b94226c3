//! Probes and metrics over a real socket.

use super::api::Served;
use serde_json::json;

#[tokio::test]
async fn probes_and_numbers_need_no_token_and_say_how_it_is() {
    let served = Served::new().await;
    served.refused("PM1").await;
    served.world.collect("PM2", 100).await;
    served.world.until_state("PM2", "delivered").await;
    for (path, text) in [("/livez", "live\n"), ("/readyz", "ready\n")] {
        let answered = served.ask(None, "GET", path, None).await;
        assert_eq!((answered.status, answered.text.as_str()), (200, text));
    }
    let health = served.ask(None, "GET", "/healthz", None).await.fine();
    assert_eq!(
        (&health["status"], &health["held"]),
        (&json!("ok"), &json!(1))
    );
    assert_eq!(health["connections"]["ledger"], "closed");
    let reason = json!({ "reason": "month end" });
    served
        .post("/api/v1/connections/ledger/pause", &reason)
        .await
        .fine();
    let health = served.ask(None, "GET", "/healthz", None).await.fine();
    assert_eq!(
        (&health["status"], &health["connections"]["ledger"]),
        (&json!("ok"), &json!("paused"))
    );

    let metrics = served.ask(None, "GET", "/metrics", None).await;
    assert!(
        metrics
            .head
            .contains("content-type: application/openmetrics-text"),
        "{metrics:?}"
    );
    let integration = served.world.delivery("PM1").await.instance.to_string();
    let value = |series: &str| -> f64 {
        let line = metrics
            .text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{series} ")));
        line.unwrap_or_else(|| panic!("no {series} in {}", metrics.text))
            .parse()
            .unwrap()
    };
    let of =
        |name: &str, more: &str| value(&format!("{name}{{integration=\"{integration}\"{more}}}"));
    assert_eq!(of("mlc_deliveries_received_total", ""), 2.0);
    assert_eq!(of("mlc_deliveries", ",state=\"held\""), 1.0);
    assert_eq!(of("mlc_transitions_total", ",became=\"delivered\""), 1.0);
    assert_eq!(
        value("mlc_circuit_state{connection=\"ledger\",state=\"closed\"}"),
        1.0
    );
    assert_eq!(value("mlc_connection_paused{connection=\"ledger\"}"), 1.0);
    let commits = value("mlc_store_commits_total");
    assert!(commits > 3.0 && value("mlc_store_sync_seconds_count") >= commits);
    assert!(value("mlc_store_written_bytes_total") > 500.0);
    assert!(value("mlc_audit_head_sequence") > 3.0);
    assert!(metrics.text.ends_with("# EOF\n"));
    for line in metrics.text.lines().filter(|line| !line.starts_with('#')) {
        assert!(
            !line.contains("PM1") && !line.contains("EV-"),
            "an unbounded label: {line}"
        );
    }
    served.world.stop().await;
}
