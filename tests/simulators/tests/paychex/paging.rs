//! PX 5 and the tags of PX 3.4.

use super::{NONPII, World, world};
use crate::support::{json, start};
use jiff::civil::date;
use ml_connector_core::http::Method;
use ml_connector_simulators::paychex::EtagRule;
use serde_json::Value;

fn crowd() -> World {
    let mut world = world();
    let company = world.company.clone();
    for n in 0..43 {
        let id = format!("{}", 1000 + n);
        world
            .px
            .hire(&company, &id, ("W", "Many"), date(2025, 1, 1), start());
    }
    world
}

fn page(
    world: &mut World,
    offset: usize,
    limit: usize,
    tag: Option<&str>,
) -> (Value, Option<String>, u16) {
    let path = world.own(&format!("workers?offset={offset}&limit={limit}"));
    let mut headers = vec![("Accept", NONPII)];
    headers.extend(tag.map(|tag| ("ETag", tag)));
    let response = world.call(Method::Get, &path, &headers, "", start());
    let tag = response.header("etag").map(str::to_owned);
    (json(&response), tag, response.status)
}

#[test]
fn the_server_caps_the_page_and_counts_the_whole() {
    let mut world = crowd();
    let (first, tag, _) = page(&mut world, 0, 100, None);
    assert_eq!(first["content"].as_array().unwrap().len(), 20);
    assert_eq!(first["metadata"]["contentItemCount"], 20);
    assert_eq!(
        first["metadata"]["pagination"]["itemCount"], 45,
        "of the collection, not of the page"
    );
    assert_eq!(first["metadata"]["pagination"]["limit"], 20);
    let rels = |body: &Value| -> Vec<String> {
        let links = body["links"].as_array().unwrap();
        links
            .iter()
            .map(|link| link["rel"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(rels(&first), ["self", "next"]);
    let (last, _, _) = page(&mut world, 40, 100, tag.as_deref());
    assert_eq!(last["content"].as_array().unwrap().len(), 5);
    assert_eq!(rels(&last), ["self", "previous"]);
    let (past, _, status) = page(&mut world, 45, 100, tag.as_deref());
    assert_eq!(
        (past["content"].as_array().unwrap().len(), status),
        (0, 200)
    );
    let all = world.content(&world.own("workers"), NONPII);
    assert_eq!(
        all.len(),
        45,
        "without both parameters everything comes at once"
    );
}

#[test]
fn a_further_page_needs_the_tag_of_the_page_before() {
    let mut world = crowd();
    let (first, tag, _) = page(&mut world, 0, 20, None);
    assert_eq!(page(&mut world, 20, 20, None).2, 409);
    let company = world.company.clone();
    world
        .px
        .hire(&company, "9", ("New", "Comer"), date(2026, 3, 2), start());
    let (second, ..) = page(&mut world, 20, 20, tag.as_deref());
    let total = |body: &Value| body["metadata"]["pagination"]["total"].clone();
    assert_eq!(total(&second), total(&first), "the snapshot is stable");
    world.px.switches.etag = EtagRule::Shifted;
    let ids = |body: &Value| -> Vec<String> {
        let items = body["content"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["workerId"].as_str().unwrap().to_owned())
            .collect()
    };
    let (shifted, ..) = page(&mut world, 20, 20, None);
    assert_eq!(ids(&shifted)[0], ids(&second)[1], "one is missed");
    world.px.switches.etag = EtagRule::Ignored;
    let (plain, ..) = page(&mut world, 20, 20, None);
    assert_eq!(ids(&plain)[0], ids(&second)[0]);
}
