# What buyers read, in English. `ja.ftl` has the same messages; a test compares the two.

### The frame of every page

brand = AWS Marketplace account setup
languages = Language
support-title = Support
support-of-product = Questions about { $product }? Write to
support-page = Visit the support page
support-of-seller = Questions? Contact the seller: the product’s page on AWS Marketplace shows how to reach them.
code = Code

### The registration page

register-title = Set up your { $product } account
register-lead = Thank you for subscribing to { $product } on AWS Marketplace. Tell us how to reach you, then continue to your account.
register-email = Email address
register-email-hint = We write to this address about your subscription.
register-name = Your name
register-company = Company
optional = (optional)
choose = Please choose
read-document = Read the document
product-page = About { $product }
register-new = Create a new account
register-existing = I already have an account
register-next = Next, { $product } opens. Create your account there, or sign in to the one you have: this subscription is connected to it.
register-status = See whether your subscription is active

### What is wrong with what was entered

errors-title = Please correct the following
errors-prefix = Error:
error-email-missing = Enter your email address.
error-email-invalid = Enter an email address like name@example.com.
error-name-long = Enter a name of at most 200 characters.
error-name-characters = Remove line breaks and other control characters from the name.
error-company-long = Enter a company name of at most 200 characters.
error-answer-missing = Fill in “{ $field }”.
error-answer-consent = Please agree: { $field }
error-answer-long = Enter at most { $max_length } characters for “{ $field }”.
error-answer-characters = Remove line breaks and other control characters from “{ $field }”.
error-answer-choice = Choose one of the answers for “{ $field }”.
error-company-characters = Remove line breaks and other control characters from the company name.

### The page of a license that is linked already

linked-title = Sign in to { $product }
linked-lead = This subscription is already connected to a { $product } account.
linked-explanation = Sign in with that account to continue. If you do not have access to it, ask the colleague who set it up, or write to support.
linked-sign-in = Sign in

### The status page

status-title = Your { $product } subscription
status-pending = Being activated
    .explanation = AWS Marketplace is setting up your subscription. This usually takes a few minutes; you can create your account meanwhile.
status-active = Active
    .explanation = Your subscription is ready. If you have not set up your account yet, do so now.
status-failed = Payment failed
    .explanation = AWS Marketplace could not take your payment. Check the payment method of your AWS account; the subscription becomes active once a payment succeeds.
status-ending = Ending
    .explanation = Your subscription has ended on AWS Marketplace and is being closed.
status-ended = Ended
    .explanation = Your subscription has ended. You can subscribe again on AWS Marketplace.
status-reloads = This page reloads by itself every 20 seconds.
status-reload-off = Stop reloading
status-reload-on = Reload by itself
status-continue = Continue to account setup

### Ways to go wrong

link-marketplace = Open “Manage subscriptions” on AWS Marketplace
link-register = Continue to account setup

problem-token_missing = This page is opened from AWS Marketplace
    .explanation = Your browser arrived without the registration token thon AWS Marketplace sends.
    .action = Go to AWS Marketplace, open “Manage subscriptions”, choose the product and select “Set up your account”.
problem-token_invalid = This registration link does not work
    .explanation = AWS Marketplace does not recognize the registration token that your browser sent. A part of it may be missing.
    .action = Go to AWS Marketplace, open “Manage subscriptions”, choose the product and select “Set up your account” again. There is no need to subscribe again.
problem-token_expired = This registration link has expired
    .explanation = Registration links from AWS Marketplace work for a limited time. Your subscription is not affected.
    .action = Go to AWS Marketplace, open “Manage subscriptions”, choose the product and select “Set up your account”. You get a new link and need not subscribe again.
problem-product_unknown = This product is not set up here
    .explanation = Your purchase is of a product that this page does not serve. Your subscription on AWS Marketplace is not affected.
    .action = Write to support and say which product you bought and which code is shown below.
problem-purchase_incomplete = Your purchase could not be read
    .explanation = AWS Marketplace confirmed your purchase, but without what is needed to set up an account. Your subscription is not affected.
    .action = Write to support with the code shown below. Once it is fixed, select “Set up your account” on AWS Marketplace again.
problem-aws_unavailable = AWS Marketplace does not answer right now
    .explanation = We could not confirm your purchase with AWS Marketplace. Nothing is lost.
    .action = Wait a moment and reload this page to send your registration again. If your browser asks whether to send the form again, agree.
problem-misconfigured = Registration is not available at the moment
    .explanation = We must fix a problem on our side before your purchase can be confirmed. The operators have been notified, and your subscription is not affected.
    .action = Try again later from AWS Marketplace with “Set up your account”, or write to support with the code shown below.
problem-session_missing = Your session has ended, or has not started
    .explanation = A session lasts four hours, and your browser must accept cookies from this site.
    .action = Go to AWS Marketplace, open “Manage subscriptions”, choose the product and select “Set up your account”.
problem-form_stale = Another registration was opened in this browser
    .explanation = A registration was opened in another tab after this form, so what you entered here was not saved.
    .action = Continue with the registration that was opened last. For another product, select “Set up your account” on AWS Marketplace again.
problem-cross_site = This form was sent from another site
    .explanation = For your safety only forms of this site are accepted. Nothing was saved.
    .action = Continue on this site’s own page and send the form there.
problem-body_too_large = The form is too large
    .explanation = The form is larger than 1 MB, which no page of this site sends. Nothing was saved.
    .action = Go back, shorten what you entered, and send the form again. If you came from AWS Marketplace, select “Set up your account” there again.
problem-body_unreadable = The form could not be read
    .explanation = The form arrived damaged or in an unexpected format. Nothing was saved.
    .action = Go back and send the form again. If you came from AWS Marketplace, select “Set up your account” there again.
problem-unavailable = We cannot answer right now
    .explanation = A part of our system does not answer at the moment. Nothing is lost.
    .action = Wait a moment and reload this page. If your browser asks whether to send the form again, agree.
problem-route_unknown = This address does not exist
    .explanation = The address may have been mistyped, or the page has moved.
    .action = If you are setting up an account, continue to account setup, or start from AWS Marketplace.
problem-method_not_allowed = This address cannot be used this way
    .explanation = Your browser asked for this address in a way that it does not support.
    .action = If you are setting up an account, continue to account setup.
