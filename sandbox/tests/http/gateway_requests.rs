use domain::listing::Stage;

use super::*;

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261123/us-east-1/execute-api/aws4_request, \
                      SignedHeaders=host;x-amz-date, Signature=00";

#[tokio::test]
async fn an_unsigned_call_is_refused_as_the_iam_authorizer_does_and_a_signed_one_gets_through() {
    let sandbox = TestSandbox::start().await;
    for path in ["/v1/licenses?account=111122223333", "/v1/tenants/acme/entitlements", "/v1/usage"] {
        let answer = sandbox.client.get(sandbox.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{path}");
        assert!(answer.headers().contains_key("apigw-requestid"));
        assert_eq!(answer.text().await.unwrap(), r#"{"message":"Forbidden"}"#);
    }
    let bearer = sandbox.client.get(sandbox.url("/v1/licenses")).bearer_auth("token").send().await.unwrap();
    assert_eq!(bearer.status(), 403);

    let url = sandbox.url("/v1/licenses?account=111122223333");
    let signed = sandbox.client.get(url).header("authorization", SIGNED).send().await.unwrap();
    assert_eq!(signed.status(), 200);
    let answer: Value = signed.json().await.unwrap();
    assert_eq!(answer["licenses"], json!([]));
}

#[tokio::test]
async fn the_path_of_a_legacy_license_may_be_encoded() {
    let sandbox = TestSandbox::start().await;
    let bought = sandbox.post("/sandbox/purchases", json!({ "product": "demo-legacy" })).await;
    let license = bought["license"].as_str().unwrap();
    for path in [license.to_owned(), license.replace('~', "%7E")] {
        let url = sandbox.url(&format!("/v1/licenses/{path}"));
        let answer = sandbox.client.get(url).header("authorization", SIGNED).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn a_path_is_decoded_once() {
    let sandbox = TestSandbox::start().await;
    let get = async |path: &str| {
        let answer = sandbox.client.get(sandbox.url(path)).header("authorization", SIGNED).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    for path in ["/v1/tenants/ab", "/v1/tenants/a%62"] {
        let (status, tenant) = get(path).await;
        assert_eq!((status, &tenant["tenant"]), (200, &json!("ab")), "{path}");
    }
    // The path decodes to `%62`, which is not a tenant id; and no route is named `%75sage`.
    let (status, refused) = get("/v1/tenants/a%2562").await;
    assert_eq!((status, &refused["code"]), (400, &json!("parameter_invalid")), "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("a%62"), "{refused}");
    let (status, refused) = get("/v1/licenses/l-1/%2575sage").await;
    assert_eq!((status, &refused["code"]), (404, &json!("route_unknown")), "{refused}");
    let (status, refused) = get("/v1/readiness/%2568istory").await;
    assert_eq!((status, &refused["code"]), (404, &json!("route_unknown")), "{refused}");
}

#[tokio::test]
async fn a_body_larger_than_lambdas_limit_does_not_reach_a_function() {
    let sandbox = TestSandbox::start().await;
    let megabyte = 1024 * 1024;
    // A body that is not text grows by a third, because it is sent as base64.
    for (content_type, bytes) in [("text/plain", 7 * megabyte), ("application/octet-stream", 5 * megabyte)] {
        let request = sandbox.client.post(sandbox.url("/register")).header("content-type", content_type);
        let answer = request.body(vec![b'x'; bytes]).send().await.unwrap();
        assert_eq!(answer.status(), 413, "{content_type}");
        assert_eq!(answer.text().await.unwrap(), r#"{"message":"Request Entity Too Large"}"#);
    }
    assert!(sandbox.get("/sandbox/wire").await["calls"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_path_without_a_route_is_not_found() {
    let sandbox = TestSandbox::start().await;
    for path in ["/nothing", "/registering", "/v2/licenses", "/v1", "/v1/anything/at/all"] {
        let answer = sandbox.client.get(sandbox.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.text().await.unwrap(), r#"{"message":"Not Found"}"#);
    }
}

#[tokio::test]
async fn a_buyers_form_and_cookie_reach_the_registration_and_its_answers_come_back() {
    let sandbox = TestSandbox::start().await;
    let bought = sandbox.buy("demo-subscription").await;
    let form = [("x-amzn-marketplace-token", bought["token"].as_str().unwrap())];
    let answer = sandbox.client.post(bought["registration_url"].as_str().unwrap()).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], "/register");
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-"), "{cookie}");

    let session = cookie.split(';').next().unwrap();
    let page = sandbox.client.get(sandbox.url("/register")).header("cookie", session).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("support@example.com"));
}

#[tokio::test]
async fn a_form_that_does_not_encode_its_token_is_refused() {
    let sandbox = TestSandbox::start().await;
    let bought = sandbox.buy("demo-subscription").await;
    let post = async |token: &str| {
        let request = sandbox.client.post(sandbox.url("/register"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(format!("x-amzn-marketplace-token={token}")).send().await.unwrap();
        let code = answer.headers().get("x-stallkeeper-code").map(|code| code.to_str().unwrap().to_owned());
        (answer.status().as_u16(), code)
    };
    let token = bought["token"].as_str().unwrap();
    assert_eq!(post(token).await, (400, Some("token_invalid".to_owned())));
    let encoded = token.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    assert_eq!(post(&encoded).await, (303, None));
}

#[tokio::test]
async fn buyers_are_redirected_to_the_sample_application_on_another_site() {
    let sandbox = TestSandbox::start().await;
    let application = sandbox.sandbox.app_url(Stage::Staging).unwrap();
    assert_eq!(application.host_str(), Some("localhost"));
    let application = application.as_str().trim_end_matches('/');
    let bought = sandbox.buy("demo-subscription").await;
    let client = sandbox::test_client::TestClient::at(sandbox.sandbox.url()).unwrap();
    let session = client.post_token(bought["token"].as_str().unwrap()).await.unwrap().cookie.unwrap();
    let page = sandbox.client.get(sandbox.url("/register")).header("cookie", &session).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains(&format!("form-action 'self' {application};")), "{policy}");

    let handed_on = client.submit_contact(&session, "buyer@example.com", "new").await.unwrap();
    let location = handed_on.location.unwrap();
    assert!(location.starts_with(&format!("{application}/sign-up?code=")), "{location}");
    let arrived = sandbox.client.get(&location).send().await.unwrap();
    assert_eq!(arrived.status(), 303);
    assert_eq!(arrived.headers()["location"], "/sign-up");
}

#[tokio::test]
async fn buyers_are_redirected_to_the_configured_application() {
    let app_url = Some("http://localhost:3000".parse().unwrap());
    let sandbox = TestSandbox::with(Options { app_url, ..Options::default() }).await;
    let bought = sandbox.buy("demo-subscription").await;
    let form = [("x-amzn-marketplace-token", bought["token"].as_str().unwrap())];
    let answer = sandbox.client.post(sandbox.url("/register")).form(&form).send().await.unwrap();
    let session = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    let page = sandbox.client.get(sandbox.url("/register")).header("cookie", session).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("http://localhost:3000"), "{policy}");
}
