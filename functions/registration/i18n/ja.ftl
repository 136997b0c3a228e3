# 購入者が読む日本語の文言。メッセージは `en.ftl` と同じもので、テストが両者を比べる。

### すべてのページの枠

brand = AWS Marketplace アカウント設定
languages = 言語
support-title = サポート
support-of-product = { $product } に関するお問い合わせ先:
support-page = サポートページを開く
support-of-seller = ご不明な点は、AWS Marketplace で購入された製品の販売元にお問い合わせください。連絡先は製品ページに掲載されています。
code = コード

### 登録ページ

register-title = { $product } のアカウント設定
register-lead = AWS Marketplace で { $product } をご購入いただき、ありがとうございます。ご連絡先を入力して、アカウントの設定にお進みください。
register-email = メールアドレス
register-email-hint = ご契約に関するお知らせをお送りします。
register-name = お名前
register-company = 会社名
optional = (任意)
choose = 選択してください
read-document = 文書を読む
product-page = { $product } について
register-new = 新しいアカウントを作成する
register-existing = すでにアカウントを持っている
register-next = 次に { $product } の画面が開きます。アカウントを作成するか、お持ちのアカウントでサインインすると、このご契約がそのアカウントに紐付けられます。
register-status = ご契約が有効になったか確認する

### 入力の誤り

errors-title = 入力内容をご確認ください
errors-prefix = エラー:
error-email-missing = メールアドレスを入力してください。
error-email-invalid = name@example.com のような形式でメールアドレスを入力してください。
error-name-long = お名前は 200 文字以内で入力してください。
error-name-characters = お名前に改行などの制御文字は使用できません。
error-company-long = 会社名は 200 文字以内で入力してください。
error-answer-missing = 「{ $field }」を入力してください。
error-answer-consent = 次の内容への同意が必要です: { $field }
error-answer-long = 「{ $field }」は { $max_length } 文字以内で入力してください。
error-answer-characters = 「{ $field }」に改行などの制御文字は使用できません。
error-answer-choice = 「{ $field }」の選択肢から一つ選んでください。
error-company-characters = 会社名に改行などの制御文字は使用できません。

### すでに紐付けられたライセンスのページ

linked-title = { $product } にサインイン
linked-lead = このご契約は、すでに { $product } のアカウントに紐付けられています。
linked-explanation = 続けるには、そのアカウントでサインインしてください。アクセス権をお持ちでない場合は、設定を行った担当者の方に確認されるか、サポートまでお問い合わせください。
linked-sign-in = サインイン

### 状況のページ

status-title = { $product } のご契約状況
status-pending = 有効化の処理中です
    .explanation = AWS Marketplace がご契約を準備しています。通常は数分で完了します。その間にアカウントを作成していただけます。
status-active = 有効です
    .explanation = ご利用の準備が整いました。アカウントの設定がお済みでない場合は、設定にお進みください。
status-failed = お支払いを確認できませんでした
    .explanation = AWS Marketplace でのお支払い処理が完了していません。AWS アカウントのお支払い方法をご確認ください。お支払いが完了すると、ご契約が有効になります。
status-ending = 終了処理中です
    .explanation = ご契約は AWS Marketplace で終了し、終了処理を行っています。
status-ended = 終了しました
    .explanation = ご契約は終了しています。AWS Marketplace から再度ご契約いただけます。
status-reloads = このページは 20 秒ごとに自動で更新されます。
status-reload-off = 自動更新を停止する
status-reload-on = 自動更新を再開する
status-continue = アカウントの設定に進む

### うまくいかなかったとき

link-marketplace = AWS Marketplace の「サブスクリプションの管理」を開く
link-register = アカウントの設定に進む

problem-token_missing = このページは AWS Marketplace から開いてください
    .explanation = AWS Marketplace から送られる登録トークンを受け取れませんでした。
    .action = AWS Marketplace の「サブスクリプションの管理 (Manage subscriptions)」で製品を選び、「アカウントの設定 (Set up your account)」を選択してください。
problem-token_invalid = 登録リンクを確認できませんでした
    .explanation = お使いのブラウザーから届いた情報は、AWS Marketplace で無効と判定されました。送信の途中で一部が失われた可能性があります。
    .action = AWS Marketplace の「サブスクリプションの管理 (Manage subscriptions)」で製品を選び、もう一度「アカウントの設定 (Set up your account)」を選択してください。あらためて契約していただく必要はありません。
problem-token_expired = 登録リンクの有効期限が切れています
    .explanation = AWS Marketplace の登録リンクには有効期限があります。ご契約への影響はありません。
    .action = AWS Marketplace の「サブスクリプションの管理 (Manage subscriptions)」で製品を選び、「アカウントの設定 (Set up your account)」を選択してください。新しいリンクが発行されます。あらためて契約していただく必要はありません。
problem-product_unknown = この製品はここでは設定できません
    .explanation = ご購入の製品は、このページの対象ではありません。AWS Marketplace でのご契約への影響はありません。
    .action = ご購入の製品名と下に表示されているコードを添えて、サポートまでお問い合わせください。
problem-purchase_incomplete = ご購入の内容を確認できませんでした
    .explanation = AWS Marketplace でご購入は確認できましたが、アカウントの設定に必要な情報が含まれていませんでした。ご契約への影響はありません。
    .action = 下に表示されているコードを添えて、サポートまでお問い合わせください。復旧後に、AWS Marketplace でもう一度「アカウントの設定 (Set up your account)」を選択してください。
problem-aws_unavailable = 現在、AWS Marketplace から応答がありません
    .explanation = AWS Marketplace でご購入を確認できませんでした。データは失われていません。
    .action = しばらくしてからこのページを再読み込みして、登録をもう一度送信してください。フォームの再送信を確認する画面が表示された場合は、許可してください。
problem-misconfigured = 現在、登録を受け付けられません
    .explanation = ご購入を確認するには、当方での復旧作業が必要です。運用担当者には通知済みです。ご契約への影響はありません。
    .action = 時間をおいて AWS Marketplace の「アカウントの設定 (Set up your account)」からもう一度お試しいただくか、下に表示されているコードを添えてサポートまでお問い合わせください。
problem-session_missing = 登録の手続きが終了しているか、まだ始まっていません
    .explanation = 手続きの有効時間は 4 時間です。また、このサイトの Cookie を許可していただく必要があります。
    .action = AWS Marketplace の「サブスクリプションの管理 (Manage subscriptions)」で製品を選び、「アカウントの設定 (Set up your account)」を選択してください。
problem-form_stale = このブラウザーで別の登録が開かれています
    .explanation = このフォームを開いたあとに別のタブで登録が始まったため、入力内容は保存されませんでした。
    .action = 最後に開いた登録の手続きにお進みください。別の製品を登録する場合は、AWS Marketplace でもう一度「アカウントの設定 (Set up your account)」を選択してください。
problem-cross_site = 別のサイトからフォームが送信されました
    .explanation = 安全のため、このサイトのフォームからの送信のみを受け付けています。入力内容は保存されていません。
    .action = このサイトのページを開き、そこからフォームを送信してください。
problem-body_too_large = 送信された内容が大きすぎます
    .explanation = フォームのデータが 1 MB を超えています。このサイトのページから送信される大きさではありません。入力内容は保存されていません。
    .action = 前のページに戻り、入力内容を短くして、もう一度送信してください。AWS Marketplace から開いた場合は、もう一度「アカウントの設定 (Set up your account)」を選択してください。
problem-body_unreadable = 送信された内容を読み取れませんでした
    .explanation = フォームのデータが壊れているか、想定と異なる形式で届きました。入力内容は保存されていません。
    .action = 前のページに戻り、フォームをもう一度送信してください。AWS Marketplace から開いた場合は、もう一度「アカウントの設定 (Set up your account)」を選択してください。
problem-unavailable = 現在、応答できません
    .explanation = システムの一部が一時的に応答していません。データは失われていません。
    .action = しばらくしてからこのページを再読み込みしてください。フォームの再送信を確認する画面が表示された場合は、許可してください。
problem-route_unknown = お探しのページは見つかりません
    .explanation = アドレスに誤りがあるか、ページが移動した可能性があります。
    .action = アカウントを設定する場合は、設定のページに進むか、AWS Marketplace から始めてください。
problem-method_not_allowed = この方法ではアクセスできません
    .explanation = このアドレスは、お使いのブラウザーからの要求の方法に対応していません。
    .action = アカウントを設定する場合は、設定のページにお進みください。
