# メールの日本語の文言。メッセージは `en.ftl` と同じもので、テストが両者を比べる。

support = { $product } に関するお問い合わせ先:
why = このメールは、ご契約の設定時に入力されたメールアドレスにお送りしています。

completed = { $product } へようこそ: 次のステップのご案内
    .lead = AWS Marketplace で { $product } をご購入いただき、ありがとうございます。ご登録を受け付けました。
    .step-continue = 開いている { $product } の画面で、アカウントを作成するか、お持ちのアカウントでサインインしてください。ご契約がそのアカウントに紐付けられます。
    .step-again = 画面を閉じてしまった場合は、AWS Marketplace の「サブスクリプションの管理 (Manage subscriptions)」で { $product } を選び、「アカウントの設定 (Set up your account)」を選択してください。あらためて契約していただく必要はありません。
    .step-later = 次回からは、{ $product } に直接サインインしてください。ご契約の変更や解約は AWS Marketplace で行えます。
    .link = { $product } にサインインする

returned = { $product } のご契約で、アカウントの設定がもう一度行われました
    .lead = { $at } に、AWS Marketplace で { $product } のご契約の「アカウントの設定 (Set up your account)」が選択されました。
    .unchanged = このご契約はすでにアカウントに紐付けられているため、そのアカウントでのサインインをご案内しました。変更された内容はなく、入力済みの情報も表示されていません。
    .step-you = ご本人または同じ組織の方による操作であれば、ご対応は不要です。いつもどおりサインインしてください。
    .step-stranger = お心当たりがない場合は、AWS アカウントで AWS Marketplace を利用できる方をご確認のうえ、サポートまでご連絡ください。
    .link = { $product } にサインインする

ended = { $product } のご契約が終了しました
    .expired = AWS Marketplace での { $product } のご契約は、更新されずに期間満了となりました。
    .cancelled = AWS Marketplace での { $product } のご契約は、解約されました。
    .terminated = AWS Marketplace での { $product } のご契約は、解除されました。
    .over = AWS Marketplace での { $product } のご契約は、終了しました。
    .access = このご契約では { $product } をご利用いただけなくなりました。
    .charges = 終了までのご利用分は、次回の AWS の請求に含まれることがあります。
    .step-again = 再度ご利用になる場合は、AWS Marketplace で { $product } をご契約のうえ、「アカウントの設定 (Set up your account)」を選択してください。
    .step-data = データの取り扱いについてのご質問や、お心当たりのない終了については、サポートまでお問い合わせください。
    .link = AWS Marketplace でサブスクリプションを管理する
