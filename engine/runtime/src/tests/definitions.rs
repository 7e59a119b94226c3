//! Two small invented systems and the flow between them: `payfast` collects payments and calls us,
//! `netledger` keeps receipts behind a session.

pub(super) const PAYFAST: &str = r#"
version: 1
connector: payfast
settings:
  base_url: { type: string }
secrets:
  token: {}
  hook: { several: true }
http:
  base_url: "{{ settings.base_url }}"
  auth: { kind: bearer, token: "{{ secrets.token }}" }
  concurrency: 4
  timeout: 10s
  circuit: { failures: 3, first: 5s, max: 1m }
health: { operation: version }
triggers:
  events:
    kind: webhook
    verify: { scheme: hmac-sha256, header: X-Signature, encoding: hex, secret: hook }
    each: "$.events[*]"
    id: $.id
    events_max: 50
    body_bytes_max: 64KiB
    schema: payfast/event.json
  sweep:
    kind: poll
    feeds: events
    every: 10m
    operation: list_events
    with: { since: "{{ cursor }}" }
    id: $.id
    cursor: { value: $.at, kind: timestamp, overlap: 1m, initial: 1h }
    schema: payfast/event.json
operations:
  version:
    kind: read
    auth: none
    request: { method: GET, path: /version }
    result: { schema: { type: object } }
  list_events:
    kind: read
    input: { since: { type: string } }
    request:
      method: GET
      path: /events
      query: { since: "{{ input.since }}" }
    paginate: { kind: cursor, next: $.next, parameter: after, pages_max: 10 }
    result: { select: "$.events[*]", list: true, schema: payfast/event.json }
  get_payment:
    kind: read
    input: { id: { type: string } }
    request: { method: GET, path: "/payments/{{ input.id }}" }
    result: { schema: payfast/payment.json }
outcomes:
  - { when: status == 200, outcome: succeeded }
  - { when: status == 404, outcome: not_found, class: missing_master_data, why: no such thing }
  - { when: status == 429, outcome: throttle, wait: "{{ headers['retry-after'] | default(none) }}", why: slow down }
  - { when: status == 401, outcome: rejected, class: authentication, why: token refused, help: set the token }
  - { when: status >= 500, outcome: unknown }
  - { when: status >= 400, outcome: rejected, class: value, why: bad request }
"#;

pub(super) const EVENT_SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "id": { "type": "string" },
    "at": { "type": "string" },
    "action": { "type": "string" },
    "payment": { "type": "string" }
  },
  "required": ["id", "at", "action", "payment"]
}"#;

pub(super) const PAYMENT_SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "id": { "type": "string" },
    "amount": { "type": "integer", "x-unit": "minor" },
    "currency": { "type": "string" },
    "customer": { "type": "string" }
  },
  "required": ["id", "amount", "currency", "customer"]
}"#;

pub(super) const NETLEDGER: &str = r#"
version: 1
connector: netledger
settings:
  base_url: { type: string }
  user: { type: string, default: clerk }
secrets:
  password: {}
http:
  base_url: "{{ settings.base_url }}"
  auth:
    kind: session
    logon: logon
    token: result.session
    logoff: logoff
    scope: "{{ settings.user }}"
    idle_max: 4m
  concurrency: 2
  timeout: 30s
  circuit: { failures: 3, first: 5s, max: 1m }
health: { operation: version, show: "version {{ result.version }}" }
operations:
  logon:
    kind: session
    request:
      method: POST
      path: /logon
      body: { json: { user: "{{ settings.user }}", password: "{{ secrets.password }}" } }
    result: { schema: { type: object, properties: { session: { type: string } }, required: [session] } }
    outcomes:
      - { when: status == 403, outcome: rejected, class: authentication, why: wrong password, help: set the password }
  logoff:
    kind: session
    request: { method: POST, path: /logoff, headers: { X-Session: "{{ session }}" } }
    result: { schema: { type: object } }
  version:
    kind: read
    auth: none
    request: { method: GET, path: /version }
    result: { schema: { type: object, properties: { version: { type: string } }, required: [version] } }
  post_receipt:
    kind: write
    input:
      customer: { type: string }
      amount: { type: number, x-unit: major }
      note: { type: string, optional: true, x-sensitive: true }
    reference: { length_max: 30 }
    repeat:
      look_up:
        operation: find_receipts
        with: { reference: "{{ reference }}" }
        found: result | length > 0
        same: result[0].amount == input.amount
        receipt: { number: "{{ result[0].number }}" }
        settle: 2m
        absences: 2
        give_up_after: 1d
    request:
      method: POST
      path: /receipts
      headers: { X-Session: "{{ session }}" }
      body:
        json:
          customer: "{{ input.customer }}"
          amount: "{{ input.amount }}"
          reference: "{{ reference }}"
          note: "{{ input.note }}"
    result: { schema: { type: object, properties: { number: { type: string } } } }
    receipt: { number: "{{ result.number }}" }
  find_receipts:
    kind: read
    input: { reference: { type: string } }
    request:
      method: GET
      path: /receipts
      query: { reference: "{{ input.reference }}" }
      headers: { X-Session: "{{ session }}" }
    result:
      select: "$.receipts[*]"
      list: true
      schema: { type: object, properties: { number: { type: string }, amount: { type: number, x-unit: major } }, required: [number, amount] }
  reverse:
    kind: write
    repeat: natural
    input: { number: { type: string } }
    request:
      method: POST
      path: "/receipts/{{ input.number }}/submit"
      headers: { X-Session: "{{ session }}" }
    result: { schema: { type: object } }
outcomes:
  - { when: "status in [200, 201]", outcome: succeeded }
  - { when: status == 440, outcome: reauthenticate, why: session ended }
  - { when: status == 429, outcome: throttle, wait: "{{ headers['retry-after'] | default(none) }}", why: slow down }
  - { when: status == 503, outcome: retry, class: intermittent, wait: "{{ headers['retry-after'] | default(none) }}", why: away }
  - { when: status >= 500, outcome: unknown }
  - { when: status >= 400, outcome: rejected, class: value, why: "refused" }
"#;

pub(super) const RECEIPTS: &str = r#"
version: 1
integration: payfast-netledger/receipts
title: A collected payment becomes a receipt
connections: { payfast: payfast, netledger: netledger }
params:
  collected_on: { type: string, default: collected }
source:
  connection: payfast
  trigger: events
  when: event.action == params.collected_on
dedup_key: "{{ event.id }}"
order_key: "{{ event.payment }}"
fetch:
  payment: { operation: payfast.get_payment, with: { id: "{{ event.payment }}" }, missing: hold }
  customer: { crosswalk: customers, key: "{{ payment.customer }}", columns: [account], missing: hold }
sink:
  operation: netledger.post_receipt
  reference: "{{ payment.id }}"
  fields:
    customer: "{{ customer.account }}"
    amount: "{{ payment.amount | from_minor(payment.currency) }}"
    note: "for {{ payment.customer }}"
remember:
  - { crosswalk: receipts, key: "{{ payment.id }}", values: { number: "{{ receipt.number }}" } }
retry: { first: 5s, factor: 2, max: 15m, jitter: none, give_up_after: 7d }
"#;

/// What undoes a receipt: it needs that receipt's number, and goes by the same order.
pub(super) const REVERSALS: &str = r#"
version: 1
integration: payfast-netledger/reversals
title: A failed payment takes its receipt back
connections: { payfast: payfast, netledger: netledger }
source:
  connection: payfast
  trigger: events
  when: event.action == 'failed'
dedup_key: "{{event.id}}"
order_key: "{{event.payment}}"
requires:
  posted: { integration: payfast-netledger/receipts, reference: "{{ event.payment }}", missing: hold }
sink:
  operation: netledger.reverse
  fields: { number: "{{ posted.number }}" }
retry: { first: 5s, factor: 2, max: 15m, jitter: none, give_up_after: 7d }
"#;

/// The site with the reversals running.
pub(super) const WITH_REVERSALS: (&str, &str) = (
    "integrations:\n",
    "integrations:\n  - use: payfast-netledger/reversals\n    connections: { payfast: pay, netledger: ledger }\n",
);

pub(super) const SITE: &str = r#"
version: 1
site: testsite
store: { path: data }
vault: { path: data/vault, key: { env: KEY } }
listen: { webhooks: "127.0.0.1:0", admin: "127.0.0.1:0" }
connections:
  pay:
    connector: payfast
    settings: { base_url: "http://payfast.test" }
    secrets: { token: pay/token, hook: [pay/hook, pay/hook-next] }
  ledger:
    connector: netledger
    settings: { base_url: "http://netledger.test" }
    secrets: { password: ledger/password }
integrations:
  - use: payfast-netledger/receipts
    connections: { payfast: pay, netledger: ledger }
"#;

/// [`NETLEDGER`]'s way to post, from its name to the next operation's.
pub(super) fn posting() -> &'static str {
    let from = NETLEDGER.find("  post_receipt:").unwrap();
    let to = NETLEDGER.find("  find_receipts:").unwrap();
    &NETLEDGER[from..to]
}

/// The same repeated by key: a second request with it is answered with 409.
pub(super) fn posting_by_key() -> String {
    let posting = posting();
    let from = posting.find("    repeat:").unwrap();
    let to = posting.find("    request:").unwrap();
    let by_key = r#"    repeat: { idempotency_key: { header: Idempotency-Key } }
    outcomes:
      - when: status == 409
        outcome: already_there
        adopt:
          operation: find_receipts
          with: { reference: "{{ body.reference }}" }
          found: result | length > 0
          same: result[0].amount == input.amount
          receipt: { number: "{{ result[0].number }}" }
"#;
    format!("{}{by_key}{}", &posting[..from], &posting[to..])
}

/// The same with nothing that would make repeating it safe.
pub(super) fn posting_once() -> String {
    let posting = posting();
    let from = posting.find("    repeat:").unwrap();
    let to = posting.find("    request:").unwrap();
    format!("{}    repeat: none\n{}", &posting[..from], &posting[to..])
}

/// The same in three steps: insert, submit, wait until it is posted.
pub(super) fn posting_in_steps() -> String {
    let insert = posting().replace("  post_receipt:", "  insert_receipt:");
    let steps = r#"  post_receipt:
    kind: write
    input:
      customer: { type: string }
      amount: { type: number, x-unit: major }
      note: { type: string, optional: true, x-sensitive: true }
    reference: { length_max: 30 }
    repeat: natural
    steps:
      - name: insert
        operation: insert_receipt
        with: { customer: "{{ input.customer }}", amount: "{{ input.amount }}" }
      - name: submit
        operation: submit
        with: { number: "{{ steps.insert.number }}" }
      - name: confirm
        operation: get_state
        with: { number: "{{ steps.insert.number }}" }
        until: result.state == 'posted'
        wait: { first: 10s, factor: 2, max: 1m, jitter: none, give_up_after: 1h }
        outcomes:
          - { when: result.state == 'failed', outcome: rejected, class: value, why: it could not be posted }
    receipt: { number: "{{ steps.insert.number }}" }
  submit:
    kind: write
    repeat: natural
    input: { number: { type: string } }
    request:
      method: POST
      path: "/receipts/{{ input.number }}/submit"
      headers: { X-Session: "{{ session }}" }
    result: { schema: { type: object } }
  get_state:
    kind: read
    input: { number: { type: string } }
    request:
      method: GET
      path: "/receipts/{{ input.number }}/state"
      headers: { X-Session: "{{ session }}" }
    result: { schema: { type: object, properties: { state: { type: string } }, required: [state] } }
"#;
    format!("{steps}{insert}")
}

/// [`PAYFAST`]'s credentials, and what stands there for tokens that it issues itself.
pub(super) const BEARER: &str = r#"auth: { kind: bearer, token: "{{ secrets.token }}" }"#;
pub(super) const BASIC: &str = concat!(
    "auth: { kind: basic, username: me, password: \"{{ secrets.token }}\", ",
    "stop_after_refusal: true }"
);
pub(super) const CLIENT_CREDENTIALS: &str = r#"auth:
    kind: oauth_client
    token_url: "{{ settings.base_url }}/token"
    client_id: me
    client_secret: "{{ secrets.token }}"
    renew_before: 1m"#;
pub(super) const REFRESH_TOKEN: &str = r#"auth:
    kind: oauth_refresh
    token_url: "{{ settings.base_url }}/token"
    client_id: me
    client_secret: very-secret-client
    refresh_token: token
    renew_before: 1m"#;
/// One that begins in the browser.
pub(super) const AUTHORIZED: &str = r#"auth:
    kind: oauth_refresh
    token_url: "{{ settings.base_url }}/token"
    client_id: me
    client_secret: very-secret-client
    refresh_token: token
    scope: read write
    renew_within: 7d
    authorize:
      url: "{{ settings.base_url }}/authorize?tenant=1"
      parameters: { prompt: consent, left_out: "{{ none }}" }"#;
/// The same at a gateway that wants JSON and has its own names, where a setting chooses.
pub(super) const CHOSEN: &str = r#"auth:
    kind: choice
    of:
      - { when: settings.base_url == 'nowhere', auth: { kind: bearer, token: "{{ secrets.token }}" } }
      - auth:
          kind: oauth_refresh
          token_url: "{{ settings.base_url }}/token"
          client_id: me
          client_secret: very-secret-client
          refresh_token: token
          in_body: true
          body: json
          access_token: [access_token, accessToken]
          refresh_token_names: [refresh_token, refreshToken]"#;
pub(super) const SIGNED: &str = r#"auth:
    kind: jwt
    algorithm: HS256
    key: "{{ secrets.token }}"
    claims: { iss: me }
    lifetime: 5m"#;
/// What a refused token means there.
pub(super) const REFUSED: &str = "{ when: status == 401, outcome: rejected, class: authentication, why: token refused, help: set the token }";
pub(super) const STALE: &str =
    "{ when: status == 401, outcome: reauthenticate, why: token refused }";
