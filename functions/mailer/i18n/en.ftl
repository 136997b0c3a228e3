# What the mails say in English. `ja.ftl` has the same messages; a test compares them.

support = Questions about { $product }? Write to
why = This mail goes to the address that was entered when the subscription was set up.

completed = Welcome to { $product }: your next steps
    .lead = Thank you for subscribing to { $product } on AWS Marketplace. Your registration is complete.
    .step-continue = Continue on the page of { $product } that has opened: create your account there, or sign in to the one that you have. Your subscription is linked to that account.
    .step-again = If you have closed that page, open "Manage subscriptions" on AWS Marketplace, choose { $product }, and select "Set up your account". You need not subscribe again.
    .step-later = From then on sign in to { $product } directly. The subscription itself is changed or cancelled on AWS Marketplace.
    .link = Sign in to { $product }

returned = Somebody set up your { $product } subscription again
    .lead = On { $at } somebody selected "Set up your account" for your subscription to { $product } on AWS Marketplace.
    .unchanged = The subscription is linked to an account already, so they were asked to sign in to that account. Nothing was changed, and nothing that you had entered was shown.
    .step-you = If it was you or a colleague: there is nothing to do. Sign in as usual.
    .step-stranger = If you do not know who it was: check who can use AWS Marketplace in your AWS account, and contact us.
    .link = Sign in to { $product }

ended = Your subscription to { $product } has ended
    .expired = Your subscription to { $product } has expired on AWS Marketplace and was not renewed.
    .cancelled = Your subscription to { $product } was cancelled on AWS Marketplace.
    .terminated = Your subscription to { $product } was terminated on AWS Marketplace.
    .over = Your subscription to { $product } has ended on AWS Marketplace.
    .access = It no longer gives access to { $product }.
    .charges = Usage up to the end may still appear on your next AWS bill.
    .step-again = To use { $product } again, subscribe to it on AWS Marketplace and select "Set up your account".
    .step-data = If you have questions about your data, or did not expect this, write to our support.
    .link = Manage your subscriptions on AWS Marketplace
