//! Signature Version 4, computed independently from the request that was sent, as the AWS documentation describes it.
//! The sandbox accepts any signature, AWS does not.

use sha2::{Digest, Sha256};

/// Checks the signature of a request as it was sent. Returns the names of the signed headers.
pub fn check(request: &[u8], secret: &str) -> Vec<String> {
    let text = String::from_utf8(request.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let (method, target) = (first.next().unwrap(), first.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(String, &str)> =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value)).collect();
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}")).1;

    let authorization = header("authorization").strip_prefix("AWS4-HMAC-SHA256 ").unwrap();
    let part = |name: &str| authorization.split(", ").find_map(|part| part.strip_prefix(name)).unwrap();
    let (_, scope) = part("Credential=").split_once('/').unwrap();
    let signed: Vec<String> = part("SignedHeaders=").split(';').map(str::to_owned).collect();

    let mut parameters: Vec<&str> = query.split('&').filter(|parameter| !parameter.is_empty()).collect();
    parameters.sort();
    assert!(!path.contains('%'), "what is encoded is encoded once more to be signed, which this does not do");
    let signed_headers: String = signed.iter().map(|name| format!("{name}:{}\n", header(name).trim())).collect();
    let canonical = [method, path, &parameters.join("&"), &signed_headers, &signed.join(";"), &hex(&sha256(body))];
    let to_sign = ["AWS4-HMAC-SHA256", header("x-amz-date"), scope, &hex(&sha256(canonical.join("\n")))].join("\n");
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part));
    assert_eq!(part("Signature="), hex(&hmac(&key, &to_sign)), "{head}");
    assert!(scope.ends_with("/us-east-1/execute-api/aws4_request"), "{scope}");
    signed
}

fn sha256(text: impl AsRef<[u8]>) -> Vec<u8> {
    Sha256::digest(text).to_vec()
}

/// Returns the HMAC-SHA256 (RFC 2104) of a text.
fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut block = [0; 64];
    let key = if key.len() > 64 { sha256(key) } else { key.to_vec() };
    block[..key.len()].copy_from_slice(&key);
    let padded = |with: u8| block.iter().map(|byte| byte ^ with).collect::<Vec<_>>();
    let inner = sha256([padded(0x36), text.as_bytes().to_vec()].concat());
    sha256([padded(0x5c), inner].concat())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
