//! Decisions, one at a time: the time that the real handler takes for one, compared with a bare Query of the same
//! license in the same index.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::types::AttributeValue;
use clap::Args;
use clock::Clock;
use domain::ids::LicenseId;
use entitlement::EntitlementApi;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use local_aws::Service;
use sandbox::{gateway, sdk_config};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::keys;
use terminal::say;

use crate::environment::{BenchEnvironment, Sold, TABLE};
use crate::figures::{Goal, Latency, RequestCounts, Wanted, grouped, per, times_as_long};
use crate::job::{JobEnvironment, JobKind, run_job};

/// The number of tenants; each has a license of its own.
const TENANTS: usize = 100;

/// The number of dimensions of a license.
const DIMENSIONS: usize = 3;

/// The number of decisions before the measurement starts.
const WARM_UP: u32 = 2000;

/// The most that a decision may take, as a multiple of the bare query's time.
const GOAL: f64 = 1.5;

/// A topic that nothing is published to.
const TOPIC: &str = "arn:aws:sns:us-east-1:444455556666:stallkeeper-bench";

/// The number of decisions.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The number of measured decisions, and of bare queries between them.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    decisions: u32,
}

/// The job of deciding.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DecisionJob {
    place: JobEnvironment,
    /// The license of each tenant, in order.
    licenses: Vec<LicenseId>,
    dimension: String,
    decisions: u32,
}

/// The result of the job.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DecisionResult {
    decision: Latency,
    query: Latency,
    /// The number of decisions that differ from what the license holds.
    wrong: u64,
    /// The whole time, including the warm-up.
    took: Duration,
}

/// Builds a test environment, and measures decisions in it.
pub(crate) async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let env = BenchEnvironment::make(TENANTS, DIMENSIONS, Sold::InAdvance, false, None).await?;
    let dimension = env.dimensions.first().context("the listing has no dimension")?.to_string();
    link(&env).await?;
    say(format_args!(
        "{} decisions for {TENANTS} tenants and as many bare queries, in turn, one at a time; {} CPUs",
        grouped(arguments.decisions.into()),
        std::thread::available_parallelism()?,
    ))?;
    let place = env.place(TABLE);
    let job = DecisionJob { place, licenses: env.licenses.clone(), dimension, decisions: arguments.decisions };
    let counts = env.aws.wire().counts();
    let decided: DecisionResult = run_job(JobKind::Decide, &job).await?;
    let asked = RequestCounts::since(&counts, &env.aws.wire().counts());

    say(format_args!("a decision: {}", decided.decision))?;
    say(format_args!("a bare query: {}", decided.query))?;
    // Each decision, including those of the warm-up, has a bare query beside it.
    let made = u64::from(arguments.decisions) + u64::from(WARM_UP);
    let queries = asked.count(Service::DynamoDb, "Query").calls.saturating_sub(made);
    let listings = asked.count(Service::DynamoDb, "GetItem").calls;
    let of_services = |services: &[Service]| services.iter().map(|service| asked.requests(*service)).sum::<u64>();
    let marketplace = of_services(&[Service::Metering, Service::Entitlement, Service::Agreement]);
    let notes = asked.count(Service::DynamoDb, "UpdateItem").calls;
    let others = of_services(&Service::ALL).saturating_sub(made + queries + listings + notes + marketplace);
    say(format_args!(
        "a decision asks {:.3} Query of DynamoDB and {:.3} of AWS Marketplace; {} decisions with the warm-up: {} Query, \
         {listings} GetItem of the listing, {notes} UpdateItem for the auditor, {marketplace} of AWS Marketplace, \
         {others} else",
        per(queries, made),
        per(marketplace, made),
        grouped(made),
        grouped(queries),
    ))?;
    let DecisionResult { decision, query, .. } = &decided;
    for (what, decision, query) in [
        ("p50 of a decision beside a bare query's", decision.p50, query.p50),
        ("p99 of a decision beside a bare query's", decision.p99, query.p99),
    ] {
        say(format_args!("{}", Goal { what, wanted: Wanted::AtMost(GOAL), got: times_as_long(decision, query) }))?;
    }
    ensure!(decided.wrong == 0, "{} decisions are wrong", decided.wrong);
    // A listing is cached for a minute. The first decision of a day leaves evidence for the auditor.
    let minutes = decided.took.as_secs() / 60 + 1;
    let is_cheap = queries == made && listings <= minutes && notes <= 1 && others == 0 && marketplace == 0;
    ensure!(is_cheap, "a decision cost more than one query");
    Ok(())
}

/// Links each license to its tenant through the API, after its entitlements were read on AWS Marketplace.
async fn link(env: &BenchEnvironment) -> anyhow::Result<()> {
    let api = EntitlementApi::new(&env.config, TABLE, TOPIC, env.clock.clone());
    for (number, license) in env.licenses.iter().enumerate() {
        let reconcile = format!("/v1/licenses/{license}/reconcile");
        let link = format!("/v1/licenses/{license}/tenant");
        for (method, path, body) in
            [(Method::POST, reconcile, Value::Null), (Method::PUT, link, json!({ "tenant": tenant(number) }))]
        {
            let answer = api.handle(event(&env.clock, &method, &path, "", &body)?).await;
            ensure!(answer.status_code == 200, "{method} {path} was answered {}", answer.status_code);
        }
    }
    Ok(())
}

fn tenant(number: usize) -> String {
    format!("tenant-{number}")
}

/// Returns a call of the application as API Gateway passes it on.
fn event(
    clock: &Clock,
    method: &Method,
    path: &str,
    query: &str,
    body: &Value,
) -> anyhow::Result<ApiGatewayV2httpRequest> {
    let signed = "AWS4-HMAC-SHA256 Credential=AKIABENCH/20261110/us-east-1/execute-api/aws4_request, \
                  SignedHeaders=host, Signature=0";
    let request = http::Request::builder()
        .method(method)
        .uri(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
        .header(HOST, "api.example.com")
        .header(AUTHORIZATION, signed)
        .header(CONTENT_TYPE, "application/json")
        .body(if body.is_null() { String::new() } else { body.to_string() })?;
    Ok(gateway::event(&request, "444455556666", clock.now())?)
}

/// The requests for a tenant, and the right answers.
struct Case {
    tenant: String,
    license: LicenseId,
    /// The quantity that the license holds.
    held: usize,
    /// A request for all of it.
    enough: ApiGatewayV2httpRequest,
    /// A request for one more.
    too_much: ApiGatewayV2httpRequest,
}

/// Decides and queries in turn. The answers are checked outside the measured time.
pub(crate) async fn decide(job: DecisionJob) -> anyhow::Result<DecisionResult> {
    let DecisionJob { place, licenses, dimension, decisions } = job;
    let clock = Clock::ticking_from(place.at);
    // The handler and the bare query have a connection each.
    let api = EntitlementApi::new(&sdk_config(&place.aws), &place.table, TOPIC, clock.clone());
    let client = Client::new(&sdk_config(&place.aws));
    let cases = licenses.into_iter().enumerate().map(|(number, license)| case(&clock, &dimension, number, license));
    let cases = cases.collect::<anyhow::Result<Vec<Case>>>()?;
    let (mut deciding, mut querying, mut wrong) = (Vec::new(), Vec::new(), 0);
    let began = Instant::now();
    for (number, case) in (0..WARM_UP + decisions).zip(cases.iter().cycle()) {
        let round = number as usize / cases.len();
        let (is_enough, query_first) = (round.is_multiple_of(2), (round / 2).is_multiple_of(2));
        let event = if is_enough { case.enough.clone() } else { case.too_much.clone() };
        let ((answer, decision), (found, query)) = if query_first {
            let query = timed(query(&client, &place.table, &case.tenant)).await;
            (timed(api.handle(event)).await, query)
        } else {
            let decision = timed(api.handle(event)).await;
            (decision, timed(query(&client, &place.table, &case.tenant)).await)
        };
        ensure!(case.is_in(&found?), "the bare query has not found the license");
        if !case.is_answered(&answer, &dimension, is_enough) {
            wrong += 1;
        }
        if number >= WARM_UP {
            deciding.push(decision);
            querying.push(query);
        }
    }
    Ok(DecisionResult { decision: Latency::of(deciding), query: Latency::of(querying), wrong, took: began.elapsed() })
}

fn case(clock: &Clock, dimension: &str, number: usize, license: LicenseId) -> anyhow::Result<Case> {
    let (tenant, held) = (tenant(number), number + 1);
    let path = format!("/v1/tenants/{tenant}/entitlements");
    let run_job = |quantity| {
        event(clock, &Method::GET, &path, &format!("dimension={dimension}&quantity={quantity}"), &Value::Null)
    };
    let (enough, too_much) = (run_job(held)?, run_job(held + 1)?);
    Ok(Case { tenant, license, held, enough, too_much })
}

impl Case {
    fn is_in(&self, found: &QueryOutput) -> bool {
        let [item] = found.items() else { return false };
        item.get("id").and_then(|id| id.as_s().ok()).is_some_and(|id| id == self.license.as_str())
    }

    fn is_answered(&self, answer: &ApiGatewayV2httpResponse, dimension: &str, is_enough: bool) -> bool {
        let Some(Body::Text(body)) = &answer.body else { return false };
        let said: Value = serde_json::from_str(body).unwrap_or_default();
        let right = json!({
            "tenant": self.tenant,
            "dimension": dimension,
            "allowed": is_enough,
            "reason": if is_enough { "entitled" } else { "quantity_exceeded" },
            "held": self.held.to_string(),
            "licenses": [self.license],
        });
        let mut members = right.as_object().into_iter().flatten();
        answer.status_code == 200 && members.all(|(name, value)| said.get(name) == Some(value))
    }
}

async fn query(client: &Client, table: &str, tenant: &str) -> anyhow::Result<QueryOutput> {
    let request = client.query().table_name(table).index_name(keys::TENANT_INDEX);
    let request =
        request.key_condition_expression("#key = :value").expression_attribute_names("#key", keys::TENANT_KEY);
    let value = AttributeValue::S(format!("TENANT#{tenant}"));
    Ok(request.expression_attribute_values(":value", value).send().await?)
}

async fn timed<T>(asking: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    (asking.await, began.elapsed())
}
