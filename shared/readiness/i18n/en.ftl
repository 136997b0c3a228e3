# The listing process and its checks, in English. `ja.ftl` has the same messages; a test compares the two.
# A check's message is its title, `.remediation` describes what to do, and the rest are its findings.

### Unobserved facts and attestations

unobserved = The check could not be made
    .forbidden = The auditor is not allowed to call { $action }, so this could not be checked.
    .timed-out = This could not be checked: { $source } did not answer in time.
    .unreachable = This could not be checked, because { $source } gave no usable answer: { $reason }
    .refused = The auditor does not connect to { $source }: { $reason }
    .not-described = The listing’s file has no { $field }, so there is nothing to check. Describe it, or attest the check.

attested = Attested on { $at }.
    .expired = The attestation of { $at } is more than 180 days old. Check it again, and attest it again.
    .required = No program can check this. Attest it once it holds: stallkeeper attest { $check } --stage { $stage } --product { $product } --note "…"

### Terms that fill messages

term-table = the table
term-catalog = AWS Marketplace’s catalog
term-registration-page = the registration page
term-no-answer = the connection ended without an answer
term-too-many-requests = too many requests
term-no-address = its address is unknown until the API is called once or the stack has a domain
term-invalid-pattern = its event pattern is not JSON
term-no-count = it returned no number of messages
term-not-https = it is not https
term-with-user = it contains a user or a password
term-no-host = it has no host name
term-not-found = its host has no address
term-not-public = its host has an address that is not public
term-too-many-redirects = it redirects too many times
term-unreadable-certificate = its certificate cannot be read
term-title = title
term-short-description = short description
term-long-description = long description
term-highlights = highlights
term-search-keywords = search keywords
term-categories = categories
term-url-https = https
term-url-host = host
term-url-port = port
term-url-query = query
term-url-fragment = fragment
term-url-user = user or password
term-url-path = path

### Steps

step-registration = Register as a seller
    .next = Register the AWS account that sells in the AWS Marketplace Management Portal.
step-public-profile = Fill in the public profile
    .next = In the AWS Marketplace Management Portal, fill in the seller’s name, logo and description.
step-bank-and-tax = Provide bank and tax information
    .next = In the AWS Marketplace Management Portal, complete the tax interview (and DAC7 where it applies), the bank account and a disbursement method in USD. Sellers in Japan contact AWS Japan first.
step-prepared = Prepare the product
    .next = Describe the listing, deploy the stack, and make sure that it is healthy.
step-registered = Register the product
    .next = Create the product in AWS as it is described: use stallkeeper listing apply, or enter the values of stallkeeper listing sheet by hand.
step-integrated = Connect the product to AWS
    .next = Make sure that AWS’s events reach the stack, that its calls are allowed, and that the registration page answers correctly.
step-verified = Verify the integration
    .next = Buy the limited listing with a test account and test the whole process: register, use it, change the contract, cancel.
step-review-requested = Request the final review
    .next = Set the real prices and request that the product becomes public. AWS’s review takes 7 to 10 business days. Once it is public, a price increase locks prices for 90 days.
step-published = Publication
    .next = Wait for AWS: publication takes 3 to 5 business days after the review.

### The seller

seller-registration = The account is registered as a seller
    .remediation = Register the AWS account that sells in the AWS Marketplace Management Portal, then attest it.
    .ok = AWS’s catalog answers this account.
    .no_product = AWS shows no product of this listing to this account yet. Once it does, the check passes by itself; until then it can be attested.
seller-public-profile = The public profile is filled in
    .remediation = Fill in the profile in the AWS Marketplace Management Portal (Settings), then attest it.
seller-bank-and-tax = Bank and tax information is complete
    .remediation = Complete the tax interview, the bank account and the disbursement method in the AWS Marketplace Management Portal (Settings), then attest it.

production-final-review-requested = The final review is requested
    .remediation = Once all earlier steps are done and AWS has the real prices (stallkeeper listing apply), request “Update visibility” to Public in the AWS Marketplace Management Portal.
    .ok = Public visibility was requested on { $at }. AWS’s review takes 7 to 10 business days.
    .completed = AWS has reviewed the product.
    .prices_differ = The public offer has prices that differ from the described ones: { $keys }
    .unpriced = The public offer has no price yet for: { $keys }
    .none = Public visibility is not requested yet.
    .refused = AWS refused the request of { $at }: { $reason } Fix that, and request it again.
production-published = The product is public
    .remediation = Wait for AWS. Its questions arrive at the seller’s mail address and in the portal’s list of requests.
    .ok = All buyers can buy it.
    .not_public = The product is { $visibility }, not Public.
    .none = AWS has no such product.

### The application

app-self-signup = A buyer can sign up without help
    .remediation = Offer sign-up with an e-mail address or an identity provider, without an invitation or a call by sales.
    .ok = The sign-up page answers and offers a way to sign up.
    .broken = The sign-up page answers { $status }.
    .no_entry = The sign-up page answers, but has no e-mail field and no identity provider that the auditor can find. If a script creates it, attest the check.
    .elsewhere = The sign-up page redirects to another site, which the auditor does not follow. If that is the identity provider, attest the check.
    .closed = The sign-up page answers { $status }, so its content is unknown. Let it answer all callers, or attest the check.
app-plan-visible = Users see their plan, its status and their usage
    .remediation = Show plan, status and usage in the application, as Stallkeeper’s API returns them for the tenant (docs/CONNECT.md).
    .ok = The plan page exists, and the application reads the tenants’ entitlements (last on { $at }).
    .broken = The plan page answers { $status }.
    .elsewhere = The plan page redirects to another site, which the auditor does not follow. If that is the identity provider, attest the check.
    .closed = The plan page answers { $status }, so its content is unknown. Redirect users who are not signed in to the sign-in page of the same site, or attest the check.
    .never_read = The plan page exists, but the application has never read a tenant’s entitlements from Stallkeeper.
    .long_ago = The plan page exists, but the application has not read a tenant’s entitlements from Stallkeeper since { $at }.
app-support-reachable = Users can reach support from the application
    .remediation = In the application, link a support page that answers, or a support address that accepts mail.
    .page = The support page answers.
    .mail = The domain of the support address accepts mail.
    .broken = The support page answers { $status }, and the domain of the support address accepts no mail.
    .elsewhere = The support page redirects to another site, which the auditor does not follow. Describe that site, or attest the check.
    .closed = The support page answers { $status }, so its content is unknown. Let it answer all callers, or attest the check.
    .no_mail = The domain of { $address } accepts no mail: it has no MX record.
app-existing-account = A buyer with an account keeps the account
    .remediation = Register a test purchase with “I already have an account”, sign in and link the license. Then claim the same license for a second tenant (PUT /v1/licenses/…/tenant), and check that the answer is 409.
    .ok = A license was linked to an existing account (last on { $at }), and a second claim was refused.
    .none_linked = No license has been linked to an existing account yet.
    .none_refused = No second claim of a linked license has been refused yet.
app-plan-locked = Plans from AWS Marketplace can be changed only on AWS Marketplace
    .remediation = For tenants with a license, answer requests to change or cancel the plan with 403 or 409, and refer them to AWS Marketplace.
    .ok = The application refuses to change the plan of a tenant from AWS Marketplace ({ $status }).
    .accepted = The application accepted a change of the plan of a tenant from AWS Marketplace ({ $status }).
    .unexpected = The application answered { $status }, which is neither a refusal nor a change. It should be 403 or 409.
    .refuses_all = The application answered { $status }, but it also refuses an id that is not a probe’s, for which it should answer 404. Something in front of the page may answer instead of it.
    .refuses_differently = The application answered { $status }, but for an id that is not a probe’s it answered { $other }. It should answer 404, which shows that it refused because of the tenant.
app-no-payment-data = No payment data is collected
    .remediation = Remove every form for cards and bank accounts from the buyer’s pages, then attest it.
app-data-policy = Data handling, deletion and incidents are documented
    .remediation = Publish how data is handled and deleted and how incidents are reported, describe the page in the listing’s file, then attest its content.
    .elsewhere = The page redirects to another site, which the auditor does not follow. Describe that site, or attest the check.
    .none = The listing’s file describes no such page (urls.data_policy).
    .closed = The page answers { $status }, so its content is unknown. Let it answer all callers, or attest its content.
    .answers = The page answers. Attest that it describes how data is handled and deleted, and how incidents are reported.
    .broken = The page answers { $status }.

### The registration page

page-https = AWS accepts the address of the registration page
    .remediation = Give the stack a host name with a valid certificate (DomainName in samconfig.toml). The address starts with https and has no port, query or fragment.
    .ok = { $url } is valid, and its certificate is valid until { $until }.
    .not_accepted = AWS’s catalog does not accept { $url }. The part that it refuses: { $problem }.
    .untrusted = Browsers do not trust the certificate of { $url }: { $reason }
    .expires_soon = The certificate of { $url } expires on { $until }, in less than 14 days.
page-accepts-post = The page accepts AWS’s form
    .remediation = Read the log of the registration function (docs/OPERATIONS.md). The page must answer a POST within 10 seconds and without a server error.
    .ok = The page answered a form with an invalid token with { $status } in { $seconds } s.
    .broken = The page answered a form with an invalid token with { $status }.
    .slow = The page answered a form with an invalid token with { $status } after { $seconds } s; AWS waits 10 s.
    .none = No page accepts the form: { $status } after { $seconds } s.
page-bad-token-explained = The page explains what to do about an invalid token
    .remediation = The page for an invalid token must describe what to do, name support, and show no internals of the program. Check that the fulfillment URL leads to this stack.
    .ok = It describes what to do and names support.
    .trace = It shows internals of the program: { $trace }
    .accepted = The page answers { $status } and does not refuse the token, so it may not be this stack’s page.
    .no_advice = It does not describe what to do.
    .no_support = It does not name the listing’s support.
page-email-field = The page has a field for an e-mail address
    .remediation = Check that the fulfillment URL leads to this stack’s page and that nothing in front of it changes the page.
    .ok = It has the field.
    .none = It has no field for an e-mail address.
    .no_form = The page with the form answers { $status }.
page-support-contact = The page names support
    .remediation = Describe support in the listing’s file and load it: stallkeeper listing push.
    .ok = The page names the listing’s support.
    .none = The page names neither the support address nor the support page.
    .no_form = The page with the form answers { $status }.
page-english = The page can be read in English
    .remediation = Check that the fulfillment URL leads to this stack’s page and that nothing in front of it changes the page.
    .ok = It is in English, or has a link to English.
    .none = It is not in English, and has no link to English.
    .no_form = The page with the form answers { $status }.
page-existing-account-link = Buyers with an account can sign in
    .remediation = Check that the fulfillment URL leads to this stack’s page and that nothing in front of it changes the page.
    .ok = The page has a link or a button to sign in.
    .none = The page has no link and no button to sign in.
    .no_form = The page with the form answers { $status }.
page-security-headers = The page cannot be framed, cached or intercepted
    .remediation = Check that nothing in front of the stack removes headers.
    .ok = The page has the required headers.
    .missing = These headers are missing: { $headers }
    .no_form = The page with the form answers { $status }.

### The listing in AWS

listing-found = The product exists in AWS
    .remediation = Create the product in the AWS Marketplace Management Portal, release it as a limited listing, and enter its id in the listing’s file.
    .ok = { $product } is { $visibility }.
    .draft = { $product } is still { $visibility }: release it as a limited listing.
    .restricted = { $product } is { $visibility }: it can no longer be bought.
    .unknown = { $product } has a visibility that Stallkeeper does not know ({ $visibility }).
    .no_product = AWS has no such product for this account.
listing-product-code = The product code matches the description
    .remediation = Copy the product code from AWS into the listing’s file, and load it: stallkeeper listing push.
    .ok = It is { $code }.
    .different = It is { $code } in AWS, and { $described } in the listing’s file.
    .none = AWS has assigned no code to the product yet; it does so when the product is released.
    .no_product = AWS has no such product for this account.
listing-fulfillment-url = The fulfillment URL leads to this stack
    .remediation = Set the fulfillment URL of the product in AWS: stallkeeper listing apply.
    .ok = Buyers are sent to { $url }.
    .different = Buyers are sent to { $current }, not to { $url }.
    .none = The product has no fulfillment URL. It should be { $url }
    .no_product = AWS has no such product for this account.
listing-dimensions = The dimensions match the description
    .remediation = Add the missing dimensions in AWS (stallkeeper listing apply), or describe those that AWS has. Keys and types cannot be changed once they are sold.
    .ok = All dimensions match ({ $count }).
    .missing = These are missing in AWS: { $keys }
    .undescribed = These are in AWS and not described, so their usage cannot be reported: { $keys }
    .types_differ = These have different types: { $keys }
    .pricing = Their types do not match the described pricing model.
    .no_product = AWS has no such product for this account.
listing-description-complete = The product’s description is complete
    .remediation = Complete it in AWS, within AWS’s limits: stallkeeper listing apply.
    .ok = It has a title, descriptions, highlights, keywords and categories.
    .missing = These are missing: { $fields }
    .too_long = These are too long or too many: { $fields }
    .no_product = AWS has no such product for this account.
listing-logo = The product has a logo
    .remediation = Upload the logo to S3, and set its URL in AWS.
    .ok = It has one.
    .none = It has none.
    .no_product = AWS has no such product for this account.
listing-support-text = The product describes how to reach support
    .remediation = Fill in the support information in AWS.
    .ok = It has the text.
    .none = The text is missing.
    .no_product = AWS has no such product for this account.
listing-eula = The offer has a license agreement
    .remediation = For the public offer, choose AWS’s standard contract or upload your own.
    .ok = It has one.
    .none = It has none.
    .no_offer = There is no public offer.
    .no_product = AWS has no such product for this account.
listing-refund-policy = The offer has a refund policy
    .remediation = Fill in the refund policy of the public offer.
    .ok = It has one.
    .none = It has none.
    .no_offer = There is no public offer.
    .no_product = AWS has no such product for this account.
listing-price-positive = Every dimension has a price, and one is above zero
    .remediation = Set prices for the public offer; for tests, small ones such as $0.01.
    .ok = Every dimension has a price.
    .none = The public offer has no prices.
    .unpriced = These have no price: { $keys }
    .free = All prices are zero, so AWS would treat it as a free product.
    .no_offer = There is no public offer.
    .no_product = AWS has no such product for this account.
listing-not-private-only = The product has a public offer
    .remediation = Release a public offer: AWS does not allow dimensions that only private offers have.
    .ok = There is a public offer.
    .private = It has no public offer, only private offers or free trials.
    .ended = The public offer has ended.
    .draft = The public offer is still a draft.
    .no_offer = It has no offer.
    .no_product = AWS has no such product for this account.
listing-targeting = A limited listing allows five or more test accounts
    .remediation = Add the AWS account ids of testers to the product’s allowed accounts.
    .ok = Allowed accounts: { $count }.
    .public = It is public.
    .few = Allowed accounts: { $count }.
    .no_product = AWS has no such product for this account.

### The stack

wiring-eventbridge-rule = AWS’s events reach the stack
    .remediation = Check that the stack is in us-east-1, and that its rule on the default bus is enabled (aws events enable-rule). docs/OPERATIONS.md describes how to restore deleted resources.
    .ok = The rule matches the events of purchase agreements and licenses.
    .none = There is no rule on the default bus.
    .disabled = No enabled rule has the stack’s marketplace events queue as its target: { $rules }
    .unmatched = No rule matches: { $types }
    .pattern = The auditor does not support a part of the event pattern: { $rules }
wiring-sns-subscription = AWS’s topics reach the stack
    .remediation = Set the ARNs of the topics in samconfig.toml (SubscriptionTopicArn, EntitlementTopicArn), and deploy. A deployment alone does not restore subscriptions that were deleted or disabled by hand: docs/OPERATIONS.md describes how to restore them.
    .ok = The subscriptions are confirmed.
    .none = The stack has not subscribed to: { $topics }
    .deleted = The subscriptions to these were deleted: { $topics }
    .unconfirmed = These are not confirmed: { $topics }
wiring-queues-drained = The dead-letter queues are empty
    .remediation = Run stallkeeper dlq show, which prints what to do for each queue (docs/OPERATIONS.md).
    .ok = All dead-letter queues are empty.
    .none = The stack has no dead-letter queue.
    .not_empty = These queues have messages: { $queues }
    .deleted = These queues were deleted: { $queues }. docs/OPERATIONS.md describes how to restore them.
wiring-schedules = The scheduled functions run
    .remediation = Enable disabled schedules, and read the log of a function that is late (docs/OPERATIONS.md). On a new stack, the reporter runs within five minutes, the reconciliation at the next full hour, and the auditor at 06:00 UTC: wait for them.
    .ok = All schedules are enabled, and their last runs were on time.
    .none = The stack has no schedule.
    .disabled = These are disabled: { $schedules }
    .late = These have not run on time (last run): { $schedules }
    .never = These have not run yet: { $schedules }
wiring-alarms = All alarms exist, are enabled, and none is in the state ALARM
    .remediation = docs/OPERATIONS.md describes each alarm and what to do, and how to restore what was deleted or disabled. The actions of ReporterStoppedAlarm are disabled while Reporter is off.
    .ok = None of { $count } alarms is in the state ALARM.
    .none = The stack has no alarm.
    .in_alarm = These are in the state ALARM: { $alarms }
    .missing = These do not exist in CloudWatch: { $alarms }
    .actions_disabled = The actions of these are disabled, so they notify no operator: { $alarms }
wiring-permissions = The functions have the permissions that they need in AWS
    .remediation = A test purchase uses the permissions that were not observed yet: it is registered, its contract is read, and its usage is sent when the hour has closed. For refused calls, deploy the template unchanged again, and check for a permissions boundary or a policy of the organization.
    .ok = AWS allowed all calls that this listing needs.
    .unobserved = Not called yet: { $actions }
    .refused = AWS refuses: { $actions }
    .uncertain = AWS refused these, and they have not been called again since: { $actions }
wiring-backups = The table can be restored to any point in time
    .remediation = Enable point-in-time recovery (aws dynamodb update-continuous-backups). The template enables it, so it was disabled by hand; docs/OPERATIONS.md describes how to restore the setting.
    .ok = Point-in-time recovery is enabled.
    .disabled = Point-in-time recovery is disabled.
wiring-audit-log = The audit log is kept for a year or more
    .remediation = Set the retention of the audit log to 400 days (aws logs put-retention-policy). The template sets it, so it was changed by hand; docs/OPERATIONS.md describes how to restore the setting.
    .ok = { $log } is kept long enough.
    .none = There is no audit log.
    .too_short = { $log } is kept for only { $days } days.

### Evidence

evidence-token-resolved = A buyer’s token was resolved
    .remediation = Buy the limited listing with a test account, and choose “Set up your account”.
    .ok = Last on { $at }.
    .none = Not observed yet.
evidence-license-activated = An event from AWS activated a license
    .remediation = Buy the limited listing with a test account; AWS’s event follows within minutes (“License Updated”, or “subscribe-success” for a listing in customer mode).
    .ok = Last on { $at }.
    .none = Not observed yet.
evidence-entitlement-read = Entitlements were read
    .remediation = Buy a contract with a test account and register it: entitlements are read when AWS announces the license, when the buyer registers, and by the reconciliation. AWS’s reviewers check for successful GetEntitlements calls.
    .ok = Last on { $at }.
    .none = Not observed yet.
evidence-usage-accepted = AWS accepted a usage record
    .remediation = Report usage for a test purchase (docs/CONNECT.md) and wait for the hour to close. AWS’s reviewers check for successful BatchMeterUsage calls.
    .ok = Last on { $at }.
    .none = Not observed yet.
evidence-agreement-changed = A change of an agreement was applied
    .remediation = Change the agreement of a test purchase on AWS Marketplace: another quantity of a contract, its renewal, or another offer.
    .ok = Last on { $at }.
    .none = Not observed yet.
evidence-ending-flushed = The end of a license was applied, and all of its usage was sent
    .remediation = End a test purchase: cancel a subscription on AWS Marketplace, or request the cancellation of a contract. The license closes about an hour later, once the usage until its end has been sent.
    .ok = Last on { $at }.
    .none = Not observed yet.
evidence-bad-token-refused = An invalid token was refused
    .remediation = The auditor’s own run sends an invalid token; run it again (stallkeeper readiness --refresh, with your stage).
    .ok = Last on { $at }.
    .none = Not observed yet.
evidence-buyer-notified = A mail was sent to a buyer
    .remediation = Set MailFrom in samconfig.toml, deploy, and register a test purchase. If MailFrom is empty because your application sends the mails to buyers, check that it does, then attest it.
    .ok = Last on { $at }.
    .none = Not observed yet.

### The report

report-kind = Readiness report
report-title = { $product }: { $done } of { $all } steps done
report-answer = { $done } of { $all } steps done
report-next = Next:
report-next-failing = Fix first:
report-next-aws = Waiting for AWS:
report-done-staging = The test phase is done. The production phase comes next, with its own stack. Keep this stack to test changes and to reproduce faults.
report-done-production = Every step is done, and all buyers can buy the product.
report-step-unknown = A step that this version does not know

report-code = Product code
report-phase = Phase
report-visibility = Visibility
report-checked = Checked
report-since = since { $day }

report-visibility-draft = Draft
report-visibility-limited = Limited
report-visibility-public = Public
report-visibility-restricted = Restricted
report-visibility-unknown = Unknown to Stallkeeper
report-visibility-unread = No product was found

report-path = The steps to a public listing
report-here = Current step
report-phase-seller = Seller account
    .note = Done once; attested on each stack.
report-phase-staging = Test phase
    .note = The stack “staging” with a limited listing, which is kept permanently.
report-phase-production = Production phase
    .note = The stack “production” with the real listing.
report-ahead = Follows the test phase. Its stack creates its own report.
report-beside = Continues beside this phase. Its stack creates its own report.

report-to-do = Open tasks
    .none = There are no open tasks.
    .later = Open checks of later steps: { $count }
report-actor-seller = Seller
    .what = In the AWS Marketplace Management Portal
report-actor-operator = Operator
    .what = On the stack and in the listing’s file
report-actor-developer = Developer
    .what = In the application
report-actor-aws = AWS
    .what = Reviews and publishes
report-portal = Open the AWS Marketplace Management Portal

report-waits = Expected durations
report-wait-review = Final review by AWS
    .time = 7–10 business days
    .note = One of AWS’s workshops names 3–5. Plan for the longer time.
report-wait-publication = Publication
    .time = 3–5 business days
    .note = After the review.
report-wait-price = Price increase
    .time = 90 days
    .note = Prices are locked for that long after an increase, so set the real ones before you request the review.

report-steps = Steps and checks
report-state-done = Done
report-state-ready = To do now
report-state-failing = Needs a fix
report-state-waiting = Waiting
report-open = Open checks: { $count }
report-holding = Passed checks: { $count }
report-remediation = How to fix it
report-attest = How to attest it
report-rule = Requirement
report-recommended = recommended
report-attested-by = By { $name }.

report-sign-passes = Passes
    .meaning = It was checked, and is as required.
report-sign-attested = Attested
    .meaning = No program can check it; an operator attests it. The attestation expires after 180 days.
report-sign-to-do = To do
    .meaning = It was checked, and is not done yet.
report-sign-fails = Fails
    .meaning = It was checked, and is wrong.
report-sign-unknown = Unknown
    .meaning = It could not be checked, or the result is not conclusive. It never counts as passed.

report-history = Changes
    .first = This is the first report. Later reports list the changes here.
    .none = No check has changed in the earlier reports.
report-signs = Outcomes
report-made = Created by Stallkeeper from the data of AWS, the stack and the product’s pages. This file loads nothing from elsewhere. Report { $id }.

# Times, in the format of strftime.
report-moment-format = %-d %B %Y, %H:%M UTC
report-day-format = %-d %B %Y
