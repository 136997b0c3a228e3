"""ministack 1.5, patched where it keeps correct functions from running or requires more than AWS does."""

import email.utils
import json

from ministack import app
from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region
from ministack.services import apigateway, scheduler

invoke, enforce = apigateway._invoke_lambda_proxy, app._enforce_ses_v2


async def invoke_for_a_body(*arguments, **named):
    """A function may answer without a body, as with a redirect. At AWS that is an empty one, here it is an error."""
    status, headers, body = await invoke(*arguments, **named)
    return status, headers, b"" if body is None else body


def enforce_by_sender(method, path, headers, body, query, request_id):
    """To send mail AWS wants ses:SendEmail on the sender's identity, and policies may depend on the sender. Here it is
    wanted on everything, which the mailer is not allowed."""
    if path.rstrip("/") != "/v2/email/outbound-emails":
        return enforce(method, path, headers, body, query, request_id)
    sender = email.utils.parseaddr(json.loads(body)["FromEmailAddress"])[1]
    identity = f"arn:aws:ses:{get_region()}:{get_account_id()}:identity/{sender}"
    context = {"ses:FromAddress": sender}
    return app._enforce_data_plane("sesv2", "ses:SendEmail", headers, query, request_id, identity, context)


def resource_by_name(service, method, path, headers, body, *others):
    """Rules have ARNs, which policies name. Here everything is asked of them."""
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if operation in ("DescribeRule", "ListTargetsByRule"):
        asked = json.loads(body)
        return f"arn:aws:events:{get_region()}:{get_account_id()}:rule/{asked.get('Name') or asked.get('Rule')}"
    return resource_of(service, method, path, headers, body, *others)


resource_of, iam_actions.extract_resource_arn = iam_actions.extract_resource_arn, resource_by_name
apigateway._invoke_lambda_proxy = invoke_for_a_body
app._enforce_ses_v2 = enforce_by_sender
# It looks at its schedules every 10 seconds, and a rehearsal waits for them three times.
scheduler._SCHEDULE_TICK_INTERVAL = 1

app.main()
