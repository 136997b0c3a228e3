use super::*;

fn arrived<'a>(method: &'a Method, path: &'a str, headers: &'a HeaderMap, body: &'a [u8]) -> Arrived<'a> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Arrived {
        method,
        path,
        query,
        headers,
        body,
        source_ip: "127.0.0.1".to_owned(),
        at: "2026-11-30T23:55:00.5Z".parse().unwrap(),
        request_id: "an-id".to_owned(),
        account: "444455556666",
        route: match path {
            "/register" => "/register",
            "/v1/licenses" => "/v1/licenses",
            path if path.starts_with("/v1/licenses/") => "/v1/licenses/{proxy+}",
            path if path.starts_with("/v1/tenants/") => "/v1/tenants/{proxy+}",
            _ => "/register/{proxy+}",
        },
        caller: Caller::read(headers),
    }
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn the_registration_form_arrives_as_api_gateway_sends_it() {
    let headers = headers(&[
        ("Host", "api.example.com:8080"),
        ("User-Agent", "a browser"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Cookie", "__Host-session=abc; theme=dark"),
        ("Cookie", "third=3"),
        ("X-Many", "one"),
        ("X-Many", "two"),
    ]);
    let body = b"x-amzn-marketplace-token=a%2Bb";
    let event = arrived(&Method::POST, "/register?lang=ja&lang=en&q=a%20b", &headers, body).to_json();
    let expected = json!({
        "version": "2.0",
        "routeKey": "ANY /register",
        "rawPath": "/register",
        "rawQueryString": "lang=ja&lang=en&q=a%20b",
        "cookies": ["__Host-session=abc", "theme=dark", "third=3"],
        "headers": {
            "host": "api.example.com:8080",
            "user-agent": "a browser",
            "content-type": "application/x-www-form-urlencoded",
            "x-many": "one,two",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": { "lang": "ja,en", "q": "a b" },
        "requestContext": {
            "accountId": "444455556666",
            "apiId": "sandbox",
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "http": {
                "method": "POST",
                "path": "/register",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "a browser",
            },
            "requestId": "an-id",
            "routeKey": "ANY /register",
            "stage": "$default",
            "time": "30/Nov/2026:23:55:00 +0000",
            "timeEpoch": 1_796_082_900_500_i64,
        },
        "body": "eC1hbXpuLW1hcmtldHBsYWNlLXRva2VuPWElMkJi",
        "isBase64Encoded": true,
    });
    assert_eq!(event, expected);
    let read = read(&event).unwrap();
    assert_eq!(read.cookies.unwrap().len(), 3);
    assert_eq!(read.request_context.http.method, Method::POST);
}

#[test]
fn only_text_json_xml_and_javascript_stay_as_they_are() {
    let body = "{\"a\":\"ä\"}".as_bytes();
    let cases = [
        ("application/json", true),
        ("Application/JSON; charset=utf-8", true),
        ("application/xml", true),
        ("application/javascript", true),
        ("text/csv", true),
        ("application/x-www-form-urlencoded", false),
        ("application/octet-stream", false),
        ("application/vnd.api+json", false),
    ];
    for (content_type, plain) in cases {
        let headers = headers(&[("content-type", content_type)]);
        let event = arrived(&Method::POST, "/v1/licenses", &headers, body).to_json();
        assert_eq!(event["isBase64Encoded"], !plain, "{content_type}");
        let expected = if plain { "{\"a\":\"ä\"}".to_owned() } else { STANDARD.encode(body) };
        assert_eq!(event["body"], expected, "{content_type}");
    }
    let without = arrived(&Method::GET, "/v1/licenses", &headers(&[]), b"").to_json();
    assert_eq!(without["isBase64Encoded"], false);
    assert!(without.get("body").is_none());
    assert!(without.get("cookies").is_none());
    assert!(without.get("queryStringParameters").is_none());
}

#[test]
fn the_path_arrives_decoded_and_the_query_does_not() {
    let headers = headers(&[]);
    let event = arrived(&Method::GET, "/v1/licenses/7demo%7Ecustomer?x=%7E", &headers, b"").to_json();
    assert_eq!(event["rawPath"], "/v1/licenses/7demo~customer");
    assert_eq!(event["rawQueryString"], "x=%7E");
    assert_eq!(event["routeKey"], "ANY /v1/licenses/{proxy+}");
    assert_eq!(event["pathParameters"], json!({ "proxy": "7demo~customer" }));
    let cut = arrived(&Method::GET, "/v1/tenants/a%3Fb", &headers, b"").to_json();
    assert_eq!(cut["rawPath"], "/v1/tenants/a");
}

#[test]
fn the_caller_is_the_access_key() {
    let signed = headers(&[(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261123/us-east-1/execute-api/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=00",
    )]);
    let event = arrived(&Method::GET, "/v1/licenses", &signed, b"").to_json();
    let iam = &event["requestContext"]["authorizer"]["iam"];
    assert_eq!(iam["accessKey"], "AKIAEXAMPLE");
    assert_eq!(iam["accountId"], "444455556666");
    assert_eq!(iam["callerId"], "AIDAEXAMPLE");
    assert_eq!(iam["userArn"], "arn:aws:iam::444455556666:user/AKIAEXAMPLE");
    let read = read(&event).unwrap().request_context.authorizer.unwrap().iam.unwrap();
    assert_eq!(read.user_id.as_deref(), Some("AIDAEXAMPLE"));

    for unsigned in [
        "Bearer abc",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=/20261123/us-east-1/execute-api/aws4_request",
        "AWS4-HMAC-SHA256 Credential=AKIA EXAMPLE/x",
    ] {
        assert_eq!(Caller::read(&headers(&[("authorization", unsigned)])), None, "{unsigned}");
    }
    assert_eq!(Caller::read(&HeaderMap::new()), None);
}

#[tokio::test]
async fn an_answer_keeps_its_headers_its_cookies_and_its_bytes() {
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = 303;
    answer.headers = headers(&[("location", "/register")]);
    answer.cookies = vec!["a=1; Secure".to_owned(), "b=2".to_owned()];
    answer.body = Some(encodings::Body::Text("AP8=".to_owned()));
    answer.is_base64_encoded = true;
    let response = http_response(answer).unwrap();
    assert_eq!(response.status(), 303);
    assert_eq!(response.headers()["location"], "/register");
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; Secure", "b=2"]);
    let body = axum::body::to_bytes(response.into_body(), 10).await.unwrap();
    assert_eq!(body.as_ref(), [0, 255]);
}

#[test]
fn an_answer_without_a_status_is_invalid() {
    assert!(http_response(ApiGatewayV2httpResponse::default()).is_none());
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = 200;
    answer.is_base64_encoded = true;
    answer.body = Some(encodings::Body::Text("not base64!".to_owned()));
    assert!(http_response(answer).is_none());
}
