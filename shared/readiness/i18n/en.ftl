# The listing process and its checks, in English. `ja.ftl` has the same messages; a test compares the two.
# A check's message is its title, `.mend` what to do, and the rest what was found.

### Why nothing was seen, and what people say

blind = It could not be looked at
    .forbidden = AWS does not permit { $action } to the auditor, so this could not be looked at.
    .timed-out = This could not be looked at: { $what } did not answer in time.
    .unreachable = This could not be looked at, for { $what } gave no usable answer: { $reason }
    .refused = The auditor does not go to { $what }: { $reason }
    .not-described = The listing’s file has no { $field }, so there is nowhere to look. Describe it, or attest that it is so.

attested = Attested on { $at }.
    .old = It was attested on { $at }, more than 180 days ago. Look again, and attest it anew.
    .wanted = No program can look at this. Attest it once it is so: stallkeeper attest { $check } --stage { $stage } --product { $product } --note "…"

### Words that fill sentences

word-table = the table
word-catalog = AWS Marketplace’s catalog
word-registration-page = the registration page
word-no-answer = the connection ended without an answer
word-too-many = too many requests
word-no-address = its address is not known until the API is called once, or the stack has a domain
word-odd-pattern = its event pattern is no JSON
word-no-count = it did not say how many messages there are
word-not-https = it is not https
word-with-user = it holds a user or a password
word-no-host = it has no host name
word-not-found = its host has no address
word-not-public = its host has an address that is not public
word-endless = it redirects without end
word-unreadable-certificate = its certificate cannot be read
word-title = title
word-short-description = short description
word-long-description = long description
word-highlights = highlights
word-search-keywords = search keywords
word-categories = categories
word-url-https = https
word-url-host = host
word-url-port = port
word-url-query = query
word-url-fragment = fragment
word-url-user = user or password
word-url-path = path

### Steps

step-registration = Register as a seller
    .next = Register the AWS account that sells at the AWS Marketplace Management Portal.
step-public-profile = Fill in the public profile
    .next = In the AWS Marketplace Management Portal, fill in the seller’s name, logo and description.
step-bank-and-tax = Give bank and tax information
    .next = In the AWS Marketplace Management Portal, finish the tax interview (and DAC7 where it applies), the bank account and a disbursement method in USD. Sellers in Japan write to AWS Japan first.
step-prepared = Prepare the product
    .next = Describe the listing, deploy the stack, and bring it to health.
step-registered = Register the product
    .next = Make the product at AWS as it is described: stallkeeper listing apply, or by hand from stallkeeper listing sheet.
step-integrated = Connect the product with AWS
    .next = See that AWS’s events reach the stack, that its calls are permitted, and that the registration page answers well.
step-verified = Verify the integration
    .next = Buy the limited listing with a test account and walk through it: register, use it, change the contract, cancel.
step-review-requested = Request the final review
    .next = Set the real prices and request that the product becomes public. AWS’s review takes 7 to 10 business days. Once it is public, a price increase locks prices for 90 days.
step-published = Publication
    .next = Wait for AWS: publication takes 3 to 5 business days after the review.

### The seller

seller-registration = The account is registered as a seller
    .mend = Register the AWS account that sells at the AWS Marketplace Management Portal, then attest it.
    .ok = AWS’s catalog answers for this account.
    .no_product = AWS shows no product of this listing to this account yet; once it does, this is seen by itself. Until then it can be attested.
seller-public-profile = The public profile is filled in
    .mend = Fill in the profile in the AWS Marketplace Management Portal (Settings), then attest it.
seller-bank-and-tax = Bank and tax information is complete
    .mend = Finish tax interview, bank account and disbursement method in the AWS Marketplace Management Portal (Settings), then attest it.

production-final-review-requested = The final review is requested
    .mend = Once all earlier steps are done and the real prices are at AWS (stallkeeper listing apply), request “Update visibility” to Public in the AWS Marketplace Management Portal.
    .ok = Public visibility was requested on { $at }. AWS’s review takes 7 to 10 business days.
    .done = AWS has reviewed the product.
    .prices = The public offer has prices that are not the described ones: { $keys }
    .unpriced = The public offer has no price yet for: { $keys }
    .none = Nobody has asked AWS yet to make the product public.
    .refused = AWS refused the request of { $at }: { $why } Mend that, and request it again.
production-published = The product is public
    .mend = Wait for AWS. If it asks for something, it writes to the seller’s address and in the portal’s list of requests.
    .ok = Everybody can buy it.
    .other = The product is { $life }, not Public.
    .none = AWS has no such product.

### The application

app-self-signup = A buyer can sign up without help
    .mend = Let the sign-up page take a buyer in by e-mail address or by an identity provider, without an invitation or a call by sales.
    .ok = The sign-up page answers and offers a way in.
    .broken = The sign-up page answers { $status }.
    .no_form = The sign-up page answers, but no e-mail field and no identity provider was seen on it. If it is made by a script, attest that it is there.
    .elsewhere = The sign-up page sends to another site, where the auditor does not follow. If that is the identity provider, attest it.
    .closed = The sign-up page answers { $status }, which does not show what is there. Let it answer whoever asks, or attest it.
app-plan-visible = Users see their plan, its status and their usage
    .mend = Show plan, status and usage inside the application, from what Stallkeeper’s API says of the tenant (docs/CONNECT.md).
    .ok = The plan’s page is there, and the application asked what a tenant may use (last on { $at }).
    .broken = The plan’s page answers { $status }.
    .elsewhere = The plan’s page sends to another site, where the auditor does not follow. If that is the identity provider, attest it.
    .closed = The plan’s page answers { $status }, which does not show what is there. Send who has not signed in to the sign-in page of the same site, or attest it.
    .never_asked = The plan’s page is there, but the application has never asked Stallkeeper what a tenant may use.
    .long_ago = The plan’s page is there, but the application has not asked Stallkeeper what a tenant may use since { $at }.
app-support-reachable = Users reach support from inside the application
    .mend = Link a support page or address inside the application that answers.
    .page = The support page answers.
    .mail = The domain of the support’s address takes mail.
    .broken = The support page answers { $status }, and the address’s domain takes no mail.
    .elsewhere = The support page sends to another site, where the auditor does not follow. Describe that site, or attest it.
    .closed = The support page answers { $status }, which does not show what is there. Let everybody read it, or attest it.
    .no_mail = The domain of { $address } takes no mail: it has no MX record.
app-existing-account = A buyer with an account keeps it
    .mend = Register a test purchase by “I already have an account”, sign in and link it; then claim the same license for a second tenant (PUT /v1/licenses/…/tenant) and see it answered 409.
    .ok = A license was linked to an existing account (last on { $at }), and a second claim was refused.
    .none_linked = No license has been linked to an existing account yet.
    .none_refused = No second claim of a linked license has been refused yet.
app-plan-locked = Plans from AWS Marketplace are changed at AWS Marketplace only
    .mend = For tenants with a license, answer 403 or 409 where others change or leave their plan, and lead them to AWS Marketplace.
    .ok = For a tenant from AWS Marketplace the application refuses the change ({ $status }).
    .open = For a tenant from AWS Marketplace the application let the change through ({ $status }).
    .odd = The application answered { $status }, which does not tell. It should be 403 or 409.
    .everybody = The application answered { $status }, but it refuses everybody: an id that is no probe’s as well, for which it should answer 404. Something in front of the page may answer instead of it.
    .control = The application answered { $status }, but for an id that is no probe’s it answered { $other }. It should be 404, so that the refusal is seen to be this tenant’s.
app-no-payment-data = No payment data is collected
    .mend = Take every form for cards and bank accounts off the buyer’s way, then attest it.
app-data-policy = Data handling, deletion and incidents are documented
    .mend = Publish how data is handled, deleted and how incidents are reported; name the page in the listing’s file, then attest what is on it.
    .elsewhere = The page sends to another site, where the auditor does not follow. Describe that site, or attest it.
    .none = The listing’s file names no such page (urls.data_policy).
    .closed = The page answers { $status }, which does not show what is there. Let it answer whoever asks, or attest what is on it.
    .answers = The page answers. Attest that it says how data is handled and deleted, and how incidents are reported.
    .broken = The page answers { $status }.

### The registration page

page-https = The registration page’s address is one that AWS takes
    .mend = Give the stack a host name with a valid certificate (DomainName in samconfig.toml). The address is https, without port, query and fragment.
    .ok = { $url } fits, and its certificate is good until { $until }.
    .unfit = AWS’s catalog does not take { $url }. What does not fit: { $problem }.
    .untrusted = Browsers do not trust the certificate of { $url }: { $reason }
    .certificate = The certificate of { $url } ends on { $until }, in less than 14 days.
page-accepts-post = The page takes AWS’s form
    .mend = Look at the log of the registration function (docs/OPERATIONS.md). The page must answer a POST in 10 seconds without a server’s error.
    .ok = A form with a made-up token was answered { $status } in { $seconds } s.
    .broken = A form with a made-up token was answered { $status }.
    .slow = A form with a made-up token was answered { $status } only after { $seconds } s; AWS waits 10 s.
    .none = There is no page that takes a form: { $status } after { $seconds } s.
page-bad-token-is-kind = A wrong token is answered in plain words
    .mend = The page for a wrong token says what to do and names support, and shows nothing of the program. Check that the fulfillment URL leads to this stack.
    .ok = It says what to do and names support.
    .trace = It shows something of the program: { $trace }
    .accepted = The page answers { $status } and does not refuse the token, so it may not be this stack’s page.
    .no_advice = It does not say what to do.
    .no_support = It does not name the listing’s support.
page-email-field = The page asks for an e-mail address
    .mend = Check that the fulfillment URL leads to this stack’s page and that nothing in front of it changes the page.
    .ok = There is a field for it.
    .none = No field for an e-mail address was seen.
    .no_form = The page with the form answers { $status }.
page-support-contact = The page names support
    .mend = Describe support in the listing’s file and load it: stallkeeper listing push.
    .ok = The page names the listing’s support.
    .none = Neither the support’s address nor its page was seen on it.
    .no_form = The page with the form answers { $status }.
page-english = The page can be read in English
    .mend = Check that the fulfillment URL leads to this stack’s page and that nothing in front of it changes the page.
    .ok = It is in English, or leads there.
    .none = It is not in English, and no way to English was seen.
    .no_form = The page with the form answers { $status }.
page-existing-account-link = Buyers with an account find the way to sign in
    .mend = Check that the fulfillment URL leads to this stack’s page and that nothing in front of it changes the page.
    .ok = The page offers it.
    .none = No link and no button to sign in was seen.
    .no_form = The page with the form answers { $status }.
page-security-headers = The page cannot be framed, cached or read on the way
    .mend = Check that nothing in front of the stack takes headers away.
    .ok = The headers are there.
    .lacking = Headers are lacking: { $headers }
    .no_form = The page with the form answers { $status }.

### The listing at AWS

listing-found = The product is at AWS
    .mend = Make the product in the AWS Marketplace Management Portal and release it as a limited listing; put its id into the listing’s file.
    .ok = { $product } is { $life }.
    .draft = { $product } is a { $life } still: release it as a limited listing.
    .restricted = { $product } is { $life }: nobody can buy it any more.
    .unknown = { $product } has a visibility that is not known here ({ $life }).
    .no_product = AWS has no such product for this account.
listing-product-code = The product code is the described one
    .mend = Copy the product code from AWS into the listing’s file, and load it: stallkeeper listing push.
    .ok = It is { $code }.
    .other = At AWS it is { $code }, in the listing’s file { $described }.
    .none = AWS has given the product no code yet; it comes with its release.
    .no_product = AWS has no such product for this account.
listing-fulfillment-url = The fulfillment URL leads to this stack
    .mend = Set the fulfillment URL of the product at AWS: stallkeeper listing apply.
    .ok = Buyers are sent to { $url }.
    .other = Buyers are sent to { $at_aws }, not to { $url }.
    .none = The product has no fulfillment URL. It should be { $url }
    .no_product = AWS has no such product for this account.
listing-dimensions = The dimensions are the described ones
    .mend = Add what is lacking at AWS (stallkeeper listing apply), or describe what is there. Keys and types cannot be changed once they are sold.
    .ok = All dimensions agree ({ $count }).
    .lacking = AWS does not have: { $keys }
    .others = AWS has what is not described, so its usage could not be reported: { $keys }
    .mistyped = Their types differ: { $keys }
    .pricing = Their types do not fit the described pricing model.
    .no_product = AWS has no such product for this account.
listing-description-complete = What buyers read is complete
    .mend = Fill it in at AWS, within its limits: stallkeeper listing apply.
    .ok = Title, descriptions, highlights, keywords and categories are there.
    .lacking = These are lacking: { $fields }
    .too_long = These are too long or too many: { $fields }
    .no_product = AWS has no such product for this account.
listing-logo = The product has a logo
    .mend = Upload the logo to S3 and name it at AWS.
    .ok = It has one.
    .none = It has none.
    .no_product = AWS has no such product for this account.
listing-support-text = Buyers read how to reach support
    .mend = Fill in the support information at AWS.
    .ok = The text is there.
    .none = The text is lacking.
    .no_product = AWS has no such product for this account.
listing-eula = The offer has a license agreement
    .mend = Choose AWS’s standard contract or upload your own for the public offer.
    .ok = It has one.
    .none = It has none.
    .no_offer = There is no public offer.
    .no_product = AWS has no such product for this account.
listing-refund-policy = The offer says how refunds are made
    .mend = Fill in the refund policy of the public offer.
    .ok = It does.
    .none = It does not.
    .no_offer = There is no public offer.
    .no_product = AWS has no such product for this account.
listing-price-positive = Every dimension has a price, and one is above zero
    .mend = Set prices for the public offer; while testing, small ones such as $0.01.
    .ok = Every dimension has one.
    .none = The public offer has no prices.
    .unpriced = These have no price: { $keys }
    .free = All prices are zero, so AWS would make it a free product.
    .no_offer = There is no public offer.
    .no_product = AWS has no such product for this account.
listing-not-private-only = The product has an offer for everyone
    .mend = Release a public offer: dimensions that only private offers have are not allowed.
    .ok = There is a public offer.
    .private = No offer is for everyone: they are private, or free trials.
    .over = The offer for everyone has ended.
    .draft = The offer for everyone is a draft still.
    .no_offer = It has no offer.
    .no_product = AWS has no such product for this account.
listing-targeting = A limited listing is open to five or more test accounts
    .mend = Add AWS account ids of testers to the product’s allowed accounts.
    .ok = Accounts that are allowed: { $count }.
    .public = It is public.
    .few = Accounts that are allowed: { $count }.
    .no_product = AWS has no such product for this account.

### The stack

wiring-eventbridge-rule = AWS’s events reach the stack
    .mend = See that the stack is in us-east-1, and that its rule on the default bus is on (aws events enable-rule). docs/OPERATIONS.md says how to get back what somebody deleted.
    .ok = The rule brings the events of purchase agreements and licenses.
    .none = There is no rule on the default bus.
    .off = No rule is on and has the stack’s queue of news as its target: { $rules }
    .unheard = No rule brings: { $kinds }
    .pattern = The pattern says something that the auditor does not understand: { $rules }
wiring-sns-subscription = AWS’s topics reach the stack
    .mend = Give the topics’ ARNs in samconfig.toml (SubscriptionTopicArn, EntitlementTopicArn), and deploy. What somebody deleted or switched off does not come back by that alone: docs/OPERATIONS.md says how.
    .ok = The subscriptions are confirmed.
    .none = The stack has not subscribed to: { $topics }
    .gone = Somebody deleted the subscriptions to: { $topics }
    .unconfirmed = These are not confirmed: { $topics }
wiring-queues-drained = No dead letter is lying about
    .mend = Look at them: stallkeeper dlq show says for each queue what to do (docs/OPERATIONS.md).
    .ok = All queues of dead letters are empty.
    .none = The stack has no queue of dead letters.
    .full = Dead letters are in: { $queues }
    .gone = Somebody deleted these queues: { $queues }. docs/OPERATIONS.md says how to get them back.
wiring-schedules = What runs by the clock runs
    .mend = Switch on what is off, and look at the log of a function that is late (docs/OPERATIONS.md). On a new stack the reporter runs within five minutes, the reconciliation at the next hour, and the auditor at 06:00 UTC: wait for them.
    .ok = All schedules are on, and their last runs were on time.
    .none = The stack has no schedule.
    .off = These are off: { $schedules }
    .late = These have not run on time (last run): { $schedules }
    .never = These have not run yet: { $schedules }
wiring-alarms = Every alarm is there and switched on, and none rings
    .mend = docs/OPERATIONS.md says of each alarm what it means and what to do, and how to get back what somebody deleted or switched off. ReporterStoppedAlarm has its actions switched off while Reporter is off.
    .ok = None of { $count } rings.
    .none = The stack has no alarm.
    .ringing = These ring: { $alarms }
    .lacking = CloudWatch does not have: { $alarms }
    .mute = These tell nobody, for their actions are switched off: { $alarms }
wiring-permissions = The functions may do at AWS what they must
    .mend = What was not seen yet is seen with a test purchase: it is registered, its contract is read, and its usage is sent when the hour has closed. For what AWS refuses, deploy the stack again with the template as it is, and look for a permissions boundary or a policy of the organization.
    .ok = AWS allowed all that this listing needs.
    .unseen = Not seen to be allowed yet: { $actions }
    .refused = AWS refuses: { $actions }
    .doubtful = AWS refused these, and they have not been asked for again since: { $actions }
wiring-backups = The table can be restored to any moment
    .mend = Switch on point-in-time recovery (aws dynamodb update-continuous-backups). The template has it on, so somebody switched it off; docs/OPERATIONS.md says how to get it back.
    .ok = Point-in-time recovery is on.
    .off = Point-in-time recovery is off.
wiring-audit-log = The audit log is kept for a year or more
    .mend = Set the retention of the audit log to 400 days (aws logs put-retention-policy). The template does, so somebody changed it; docs/OPERATIONS.md says how to get it back.
    .ok = { $log } is kept long enough.
    .none = There is no audit log.
    .short = { $log } is kept for { $days } days only.

### What was seen to work

evidence-token-resolved = A buyer’s token was resolved
    .mend = Buy the limited listing with a test account, and choose “Set up your account”.
    .ok = Last on { $at }.
    .none = Not seen yet.
evidence-license-activated = A license came into force by AWS’s news
    .mend = Buy the limited listing with a test account; AWS’s news of it follows within minutes (“License Updated”, or for a listing of the older kind “subscribe-success”).
    .ok = Last on { $at }.
    .none = Not seen yet.
evidence-entitlement-read = Entitlements were read
    .mend = Buy a contract with a test account and register it: entitlements are read when AWS announces the license, when the buyer registers, and by the reconciliation. AWS’s reviewers look for successful GetEntitlements calls.
    .ok = Last on { $at }.
    .none = Not seen yet.
evidence-usage-accepted = AWS took a usage record
    .mend = Report usage for a test purchase (docs/CONNECT.md) and wait for the hour to close. AWS’s reviewers look for successful BatchMeterUsage calls.
    .ok = Last on { $at }.
    .none = Not seen yet.
evidence-agreement-changed = A change of an agreement was followed
    .mend = Change the agreement of a test purchase at AWS Marketplace: another quantity of a contract, its renewal, or another offer.
    .ok = Last on { $at }.
    .none = Not seen yet.
evidence-ending-flushed = An ending was followed, and nothing used was left unsent
    .mend = End a test purchase: a subscription is cancelled at AWS Marketplace, a contract by a request for cancellation. The license is closed about an hour later, once what was used until its end has been sent.
    .ok = Last on { $at }.
    .none = Not seen yet.
evidence-bad-token-refused = A wrong token was refused
    .mend = The auditor’s own run brings a made-up token; let it look once more (stallkeeper readiness --anew, with your stage).
    .ok = Last on { $at }.
    .none = Not seen yet.
evidence-buyer-notified = A buyer was written to
    .mend = Give MailFrom in samconfig.toml, deploy, and register a test purchase. Where MailFrom is empty because your application writes to buyers, see that it does, then attest it.
    .ok = Last on { $at }.
    .none = Not seen yet.

### The report

report-kind = Readiness report
report-title = { $product }: { $done } of { $all } steps done
report-answer = { $done } of { $all } steps done
report-next = Next:
report-next-failing = Mend first:
report-next-aws = Waiting for AWS:
report-done-staging = The test phase is done. The production phase comes next, with a stack of its own. Keep this one: it is where changes are tried and faults reproduced.
report-done-production = Every step is done, and everybody can buy the product.
report-step-unknown = A step that this version does not know

report-code = Product code
report-phase = Phase
report-life = At AWS
report-looked = Looked at
report-since = since { $day }

report-life-draft = Draft
report-life-limited = Limited
report-life-public = Public
report-life-restricted = Restricted
report-life-unknown = Not known here
report-life-unread = No product was seen

report-way = The way to a public listing
report-here = Here now
report-phase-seller = Seller account
    .note = Done once; attested on each stack.
report-phase-staging = Test phase
    .note = The stack “staging” with a limited listing, kept for good.
report-phase-production = Production phase
    .note = The stack “production” with the real listing.
report-ahead = Comes after the test phase. Its stack makes its own report.
report-beside = Goes on beside this one. Its stack makes its own report.

report-to-do = What to do now, and who does it
    .none = Nothing now.
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

report-waits = How long things take
report-wait-review = Final review by AWS
    .time = 7–10 business days
    .note = One of AWS’s workshops says 3–5. Plan for the longer time.
report-wait-publication = Publication
    .time = 3–5 business days
    .note = After the review.
report-wait-price = Price increase
    .time = 90 days
    .note = Prices are locked for that long after an increase, so set the real ones before you request the review.

report-steps = Steps and checks
report-state-done = Done
report-state-ready = To do now
report-state-failing = Needs mending
report-state-waiting = Waits its turn
report-open = Open checks: { $count }
report-holding = Checks that hold: { $count }
report-mend = How to mend
report-attest = To attest it
report-rule = Rule
report-recommended = recommended
report-attested-by = By { $who }.

report-sign-passes = Passes
    .meaning = It was looked at, and is as it must be.
report-sign-attested = Attested
    .meaning = No program can see it; a person says that it is so. Asked again after 180 days.
report-sign-to-do = To do
    .meaning = It was looked at, and is not there yet.
report-sign-fails = Fails
    .meaning = It was looked at, and is wrong.
report-sign-unknown = Unknown
    .meaning = It could not be looked at, or what was seen does not tell. It never counts as passed.

report-history = What changed
    .first = This is the first report. What changes from now on stands here.
    .none = No check has changed in the reports before this one.
report-signs = What the words mean
report-made = Made by Stallkeeper from what it saw at AWS, on the stack and on the product’s pages. This file loads nothing from elsewhere. Report { $id }.

# Times, in the format of strftime.
report-moment-format = %-d %B %Y, %H:%M UTC
report-day-format = %-d %B %Y
