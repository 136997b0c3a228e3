"""The environment of the steps: the marketplace, the deployed stack, its clients and queues."""

import json
import time
import urllib.request

import stack as stacks
import template
from clients import Application, Browser

# Longer than any condition takes to hold, in seconds.
TIMEOUT_SECONDS = 45
MAIL_FROM = "no-reply@example.com"


def until(question):
    """Asks until the answer is yes, and answers the last one."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while not (answer := question()) and time.monotonic() < end:
        time.sleep(0.25)
    return answer


class Rehearsal:
    def __init__(self, aws, stack, marketplace, tally):
        self.aws, self.stack, self.marketplace, self.tally = aws, stack, marketplace, tally
        self.sqs, self.events, self.scheduler = (aws.client(name) for name in ("sqs", "events", "scheduler"))
        self.table = aws.client("dynamodb")
        self.outputs = stack.outputs()
        self.runs = 0
        # What an operator does once: the listings, and the identity that mail is sent from.
        stacks.push_listings(aws, "staging", "demo-consumption", "demo-contract")
        aws.client("sesv2").create_email_identity(EmailIdentity=MAIL_FROM)
        # What the application needs.
        self.policy = self.outputs["ApplicationPolicyArn"]
        self.application = self.signing("application", self.policy)
        self.events_received = EventQueue(self)

    def check(self, name, holds, shown=""):
        self.tally.check(name, bool(holds), shown)

    # The clients.

    def browser(self):
        return Browser(self.aws, self.outputs["RegistrationUrl"])

    def signing(self, user, policy=None):
        """A client that signs its calls, with a policy or without."""
        iam = self.aws.client("iam")
        iam.create_user(UserName=user)
        if policy:
            iam.attach_user_policy(UserName=user, PolicyArn=policy)
        return Application(self.aws, self.outputs["ApiUrl"], iam.create_access_key(UserName=user)["AccessKey"])

    # The queues.

    def take(self, queue):
        """Takes messages off a queue."""
        messages = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in messages]

    def attribute(self, queue, name):
        return self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name]

    def waiting(self, queue):
        return int(self.attribute(queue, "ApproximateNumberOfMessages"))

    def announce(self, event):
        """What EventBridge does with an event: the rule's pattern decides, and the rule's target gets it. Like AWS,
        ministack accepts no events of a source `aws.*`, so the rehearsal delivers them itself."""
        rule = self.events.describe_rule(Name=self.stack.name_of("MarketplaceEventsRule"))
        matches = self.events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(event))["Result"]
        self.check(f"the rule is for {event['detail-type']}", matches and rule["State"] == "ENABLED", rule)
        (target,) = self.events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        queue = self.sqs.get_queue_url(QueueName=target["Arn"].rsplit(":", 1)[1])["QueueUrl"]
        self.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))

    def mails(self):
        """What SES has sent, of every account."""
        with urllib.request.urlopen(f"{self.aws.url}/_ministack/ses/messages", timeout=30) as answer:
            return sum(json.load(answer)["messages"].values(), [])

    # The schedules and the pipes.

    def pause(self, schedule):
        """Keeps a schedule from running between the steps of the rehearsal. Answers how it was deployed."""
        deployed = self.scheduler.get_schedule(Name=self.stack.name_of(schedule))
        kept = ("Name", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target")
        self.scheduler.update_schedule(State="DISABLED", **{name: deployed[name] for name in kept})
        return deployed["State"], deployed["ScheduleExpression"]

    def run(self, schedule):
        """Lets EventBridge Scheduler run the target of a schedule of the stack once, now, instead of at its next time."""
        self.runs += 1
        self.scheduler.create_schedule(
            Name=f"run-{self.runs}",
            ScheduleExpression=time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime()),
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=self.scheduler.get_schedule(Name=self.stack.name_of(schedule))["Target"],
            ActionAfterCompletion="DELETE",
        )

    def filters_of(self, pipe):
        """The patterns of what a pipe lets through. ministack does not show them."""
        parameters = template.source()["Resources"][pipe]["Properties"]["SourceParameters"]
        return [one["Pattern"] for one in parameters["FilterCriteria"]["Filters"]]


class EventQueue:
    """A queue of the application that is subscribed to the topic, as docs/events/README.md says."""

    def __init__(self, rehearsal):
        self.rehearsal, self.events = rehearsal, []
        self.queue = rehearsal.sqs.create_queue(QueueName="application")["QueueUrl"]
        arn, topic = rehearsal.attribute(self.queue, "QueueArn"), rehearsal.outputs["EventsTopicArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        rehearsal.sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": policy})
        subscription = {"Protocol": "sqs", "Endpoint": arn, "Attributes": {"RawMessageDelivery": "true"}}
        rehearsal.aws.client("sns").subscribe(TopicArn=topic, **subscription)

    def missing_types(self, *types):
        """Waits for types of events, and answers those that did not come."""

        def have_come():
            self.events += [json.loads(body) for body in self.rehearsal.take(self.queue)]
            return set(types) <= {event["type"] for event in self.events}

        until(have_come)
        return set(types) - {event["type"] for event in self.events}
