# 出品の手順とチェックの日本語の文言。メッセージは `en.ftl` と同じもので、テストが両者を比べる。
# チェックのメッセージは見出し、`.remediation` は対処、残りは調べた結果。

### 調べられなかった理由と申告

unobserved = 調べられませんでした
    .forbidden = 監査機能に { $action } の権限がないため、調べられませんでした。
    .timed-out = { $source } から時間内に応答がなかったため、調べられませんでした。
    .unreachable = { $source } から判断できる応答を得られなかったため、調べられませんでした: { $reason }
    .refused = 監査機能は { $source } にはアクセスしません: { $reason }
    .not-described = リスティングのファイルに { $field } がないため、調べる先がありません。記述するか、確認のうえ申告してください。

attested = { $at } に申告されました。
    .expired = { $at } の申告から 180 日が過ぎました。確認のうえ、もう一度申告してください。
    .required = プログラムでは調べられません。確認のうえ申告してください: stallkeeper attest { $check } --stage { $stage } --product { $product } --note "…"

### メッセージに入る用語

term-table = テーブル
term-catalog = AWS Marketplace のカタログ
term-registration-page = 登録ページ
term-no-answer = 応答のないまま接続が切れました
term-too-many-requests = リクエスト過多
term-no-address = API が一度呼び出されるか、スタックにドメインを設定するまで、アドレスがわかりません
term-invalid-pattern = イベントパターンが JSON ではありません
term-no-count = メッセージ数が返されませんでした
term-not-https = https ではありません
term-with-user = ユーザー名またはパスワードが含まれています
term-no-host = ホスト名がありません
term-not-found = ホストのアドレスが見つかりません
term-not-public = ホストのアドレスが公開されたものではありません
term-too-many-redirects = リダイレクトの回数が多すぎます
term-unreadable-certificate = 証明書を読み取れません
term-title = タイトル
term-short-description = 短い説明
term-long-description = 詳しい説明
term-highlights = ハイライト
term-search-keywords = 検索キーワード
term-categories = カテゴリー
term-url-https = https で始まっていません
term-url-host = ホスト名
term-url-port = ポート
term-url-query = クエリ
term-url-fragment = フラグメント
term-url-user = ユーザー名またはパスワード
term-url-path = パス

### 手順

step-registration = 出品者として登録する
    .next = 販売に使う AWS アカウントを AWS Marketplace Management Portal で出品者登録してください。
step-public-profile = 公開プロフィールを記入する
    .next = AWS Marketplace Management Portal で、出品者の名称、ロゴ、説明を記入してください。
step-bank-and-tax = 銀行口座と税務情報を登録する
    .next = AWS Marketplace Management Portal で、税務インタビュー (該当する場合は DAC7)、銀行口座、米ドルの受取方法の登録を完了してください。日本の出品者は、先に AWS ジャパンへご連絡ください。
step-prepared = 製品を準備する
    .next = リスティングを記述し、スタックをデプロイして、正常に動く状態にしてください。
step-registered = 製品を登録する
    .next = 記述どおりの製品を AWS に登録してください。stallkeeper listing apply で送るか、stallkeeper listing sheet を見て手で入力します。
step-integrated = AWS と接続する
    .next = AWS のイベントがスタックに届くこと、AWS への呼び出しが許可されていること、登録ページが正しく応答することを確かめてください。
step-verified = 連携を検証する
    .next = テスト用アカウントで限定公開の製品を購入し、登録、利用、契約変更、解約までを通して確かめてください。
step-review-requested = 最終審査を申請する
    .next = 実際の価格を設定し、公開を申請してください。AWS の審査には 7〜10 営業日かかります。公開後に値上げすると、90 日間は価格を変更できません。
step-published = 公開
    .next = AWS の対応をお待ちください。審査の後、公開まで 3〜5 営業日かかります。

### 出品者

seller-registration = 出品者として登録されている
    .remediation = 販売に使う AWS アカウントを AWS Marketplace Management Portal で出品者登録し、申告してください。
    .ok = このアカウントで AWS のカタログを参照できます。
    .no_product = このリスティングの製品は、このアカウントではまだ AWS にありません。登録されると自動で確認されます。それまでは申告もできます。
seller-public-profile = 公開プロフィールが記入されている
    .remediation = AWS Marketplace Management Portal の設定で記入し、申告してください。
seller-bank-and-tax = 銀行口座と税務情報がそろっている
    .remediation = AWS Marketplace Management Portal の設定で税務インタビュー、銀行口座、受取方法の登録を完了し、申告してください。

production-final-review-requested = 最終審査を申請している
    .remediation = ここまでの手順がすべて完了し、実際の価格を AWS に反映したら (stallkeeper listing apply)、AWS Marketplace Management Portal の「Update visibility」で Public を申請してください。
    .ok = { $at } に公開を申請しました。AWS の審査には 7〜10 営業日かかります。
    .completed = AWS の審査は完了しています。
    .prices_differ = 公開オファーの価格が記述と異なるもの: { $keys }
    .unpriced = 公開オファーに価格がまだないもの: { $keys }
    .none = 公開をまだ申請していません。
    .refused = { $at } の申請は AWS に却下されました: { $reason } 対処のうえ、あらためて申請してください。
production-published = 製品が公開されている
    .remediation = AWS の対応をお待ちください。AWS からの依頼は、出品者のメールアドレスとポータルのリクエスト一覧に届きます。
    .ok = だれでも購入できます。
    .not_public = 製品は { $visibility } です。Public ではありません。
    .none = AWS に製品がありません。

### アプリケーション

app-self-signup = 購入者が自分で登録できる
    .remediation = 招待や営業担当の対応なしに、メールアドレスまたは ID プロバイダーで登録できるページを用意してください。
    .ok = サインアップページが応答し、登録の入口があります。
    .broken = サインアップページの応答は { $status } です。
    .no_entry = サインアップページは応答しますが、メールアドレスの欄も ID プロバイダーも見つかりませんでした。スクリプトで表示している場合は、確認のうえ申告してください。
    .elsewhere = サインアップページは別のサイトへ転送されます。監査機能はその先へは進みません。ID プロバイダーであれば、確認のうえ申告してください。
    .closed = サインアップページの応答は { $status } で、内容を確認できません。だれにでも応答するようにするか、申告してください。
app-plan-visible = 利用者がプラン、状態、利用量を確認できる
    .remediation = Stallkeeper の API の応答をもとに、プラン、状態、利用量をアプリケーション内に表示してください (docs/CONNECT.md)。
    .ok = プランのページがあり、アプリケーションはテナントの権利を照会しています (最終 { $at })。
    .broken = プランのページの応答は { $status } です。
    .elsewhere = プランのページは別のサイトへ転送されます。監査機能はその先へは進みません。ID プロバイダーであれば、確認のうえ申告してください。
    .closed = プランのページの応答が { $status } のため、内容を確認できません。サインインしていない利用者を同じサイトのサインインページへ転送するか、確認のうえ申告してください。
    .never_read = プランのページはありますが、アプリケーションはテナントの権利を一度も照会していません。
    .long_ago = プランのページはありますが、アプリケーションは { $at } 以降、テナントの権利を照会していません。
app-support-reachable = アプリケーション内からサポートに連絡できる
    .remediation = 応答のあるサポートページまたはメールアドレスへのリンクを、アプリケーション内に置いてください。
    .page = サポートページが応答します。
    .mail = サポートのメールアドレスのドメインはメールを受け取れます。
    .broken = サポートページの応答は { $status } で、メールアドレスのドメインもメールを受け取れません。
    .elsewhere = サポートページは別のサイトへ転送されます。監査機能はその先へは進みません。転送先を記述するか、確認のうえ申告してください。
    .closed = サポートページの応答が { $status } のため、内容を確認できません。だれでも読めるようにするか、確認のうえ申告してください。
    .no_mail = { $address } のドメインに MX レコードがなく、メールを受け取れません。
app-existing-account = アカウントを持つ購入者はそのアカウントを使い続けられる
    .remediation = テスト購入で「すでにアカウントを持っている」を選んでサインインし、紐付けてください。続けて、同じライセンスを別のテナントに紐付けようとし (PUT /v1/licenses/…/tenant)、409 で拒否されることを確かめてください。
    .ok = 既存アカウントへの紐付け (最終 { $at }) と、別テナントからの申請の拒否を確認しました。
    .none_linked = 既存アカウントへの紐付けがまだありません。
    .none_refused = 紐付け済みのライセンスについて、別テナントからの申請を拒否した実績がまだありません。
app-plan-locked = AWS Marketplace 経由のプランはアプリケーション内で変更できない
    .remediation = ライセンスのあるテナントには、プランの変更や解約の操作に 403 または 409 を返し、AWS Marketplace へ案内してください。
    .ok = AWS Marketplace 経由のテナントの変更は拒否されます ({ $status })。
    .accepted = AWS Marketplace 経由のテナントのプラン変更が受け付けられました ({ $status })。
    .unexpected = 応答が { $status } のため判断できません。403 または 409 を返してください。
    .refuses_all = 応答は { $status } ですが、プローブではない ID も拒否されました。プローブではない ID には 404 を返してください。ページの手前で別の仕組みが応答している可能性があります。
    .refuses_differently = 応答は { $status } ですが、プローブではない ID への応答が { $other } でした。テナントを見て拒否していることがわかるように、404 を返してください。
app-no-payment-data = 支払い情報を収集していない
    .remediation = 購入者が通る画面からカードや口座の入力欄を取り除き、申告してください。
app-data-policy = データの取り扱い、削除、インシデント対応が文書化されている
    .remediation = データの取り扱いと削除、インシデントの連絡方法を公開し、そのページをリスティングのファイルに記述したうえで、内容を申告してください。
    .elsewhere = ページは別のサイトへ転送されます。監査機能はその先へは進みません。転送先を記述するか、確認のうえ申告してください。
    .none = リスティングのファイルにページが記述されていません (urls.data_policy)。
    .closed = ページの応答は { $status } で、内容を確認できません。だれにでも応答するようにするか、内容を申告してください。
    .answers = ページは応答します。データの取り扱いと削除、インシデントの連絡方法が書かれていることを申告してください。
    .broken = ページの応答は { $status } です。

### 登録ページ

page-https = 登録ページのアドレスを AWS が受け付ける
    .remediation = 有効な証明書のあるホスト名をスタックに設定してください (samconfig.toml の DomainName)。アドレスは https で、ポート、クエリ、フラグメントを含みません。
    .ok = { $url } は適切で、証明書は { $until } まで有効です。
    .not_accepted = { $url } は AWS のカタログで受け付けられません。該当箇所: { $problem }
    .untrusted = { $url } の証明書はブラウザーに信頼されません: { $reason }
    .expires_soon = { $url } の証明書は { $until } に切れます。残り 14 日未満です。
page-accepts-post = ページが AWS からのフォームを受け付ける
    .remediation = 登録用の Lambda 関数のログを確認してください (docs/OPERATIONS.md)。POST に 10 秒以内に、サーバーエラーなしで応答する必要があります。
    .ok = 無効なトークンのフォームに { $status } で応答しました ({ $seconds } 秒)。
    .broken = 無効なトークンのフォームへの応答が { $status } でした。
    .slow = 無効なトークンのフォームへの応答 { $status } に { $seconds } 秒かかりました。AWS が待つのは 10 秒です。
    .none = フォームを受け付けるページがありません: { $status } ({ $seconds } 秒)
page-bad-token-explained = 無効なトークンに対し、次にすることを説明している
    .remediation = 無効なトークンのページでは、次にすることとサポートの連絡先を示し、プログラムの内部情報を表示しないでください。フルフィルメント URL がこのスタックを指しているか確認してください。
    .ok = 次にすることとサポートの連絡先が示されています。
    .trace = プログラムの内部情報が表示されています: { $trace }
    .accepted = ページの応答が { $status } で、トークンが拒否されていません。このスタックのページではない可能性があります。
    .no_advice = 次にすることが示されていません。
    .no_support = リスティングのサポートの連絡先がありません。
page-email-field = ページにメールアドレスの欄がある
    .remediation = フルフィルメント URL がこのスタックのページを指し、途中でページが書き換えられていないか確認してください。
    .ok = 欄があります。
    .none = メールアドレスの欄が見つかりませんでした。
    .no_form = フォームのページの応答は { $status } です。
page-support-contact = ページにサポートの連絡先がある
    .remediation = リスティングのファイルにサポートを記述し、stallkeeper listing push で読み込ませてください。
    .ok = リスティングのサポートの連絡先があります。
    .none = サポートのメールアドレスもページも見つかりませんでした。
    .no_form = フォームのページの応答は { $status } です。
page-english = ページを英語で読める
    .remediation = フルフィルメント URL がこのスタックのページを指し、途中でページが書き換えられていないか確認してください。
    .ok = 英語で表示されるか、英語に切り替えられます。
    .none = 英語で表示されず、英語への切り替えも見つかりませんでした。
    .no_form = フォームのページの応答は { $status } です。
page-existing-account-link = アカウントを持つ購入者がサインインできる
    .remediation = フルフィルメント URL がこのスタックのページを指し、途中でページが書き換えられていないか確認してください。
    .ok = サインインの入口があります。
    .none = サインインのリンクもボタンも見つかりませんでした。
    .no_form = フォームのページの応答は { $status } です。
page-security-headers = ページの埋め込み、キャッシュ、盗み見を防いでいる
    .remediation = スタックの手前でヘッダーが取り除かれていないか確認してください。
    .ok = 必要なヘッダーがあります。
    .missing = 足りないヘッダー: { $headers }
    .no_form = フォームのページの応答は { $status } です。

### AWS のリスティング

listing-found = 製品が AWS にある
    .remediation = AWS Marketplace Management Portal で製品を作成して限定公開し、その ID をリスティングのファイルに記述してください。
    .ok = { $product } は { $visibility } です。
    .draft = { $product } はまだ { $visibility } です。限定公開してください。
    .restricted = { $product } は { $visibility } です。もう購入できません。
    .unknown = { $product } の公開状態を判別できません ({ $visibility })。
    .no_product = このアカウントの製品が AWS にありません。
listing-product-code = 製品コードが記述と一致する
    .remediation = AWS の製品コードをリスティングのファイルに写し、stallkeeper listing push で読み込ませてください。
    .ok = { $code } です。
    .different = AWS では { $code }、リスティングのファイルでは { $described } です。
    .none = 製品コードがまだありません。限定公開すると付与されます。
    .no_product = このアカウントの製品が AWS にありません。
listing-fulfillment-url = フルフィルメント URL がこのスタックを指している
    .remediation = AWS の製品にフルフィルメント URL を設定してください: stallkeeper listing apply
    .ok = 購入者は { $url } へ案内されます。
    .different = 購入者は { $url } ではなく { $current } へ案内されます。
    .none = 製品にフルフィルメント URL がありません。{ $url } を設定してください。
    .no_product = このアカウントの製品が AWS にありません。
listing-dimensions = ディメンションが記述と一致する
    .remediation = 足りないものを AWS に追加するか (stallkeeper listing apply)、AWS にあるものを記述してください。販売を始めたキーと種類は変更できません。
    .ok = { $count } 件が一致しています。
    .missing = AWS にないもの: { $keys }
    .undescribed = 記述されておらず、利用量を報告できないもの: { $keys }
    .types_differ = 種類が異なるもの: { $keys }
    .pricing = 種類が、記述された料金モデルに合っていません。
    .no_product = このアカウントの製品が AWS にありません。
listing-description-complete = 購入者が読む説明がそろっている
    .remediation = 上限の範囲で AWS に記入してください: stallkeeper listing apply
    .ok = タイトル、説明、ハイライト、キーワード、カテゴリーがそろっています。
    .missing = 足りないもの: { $fields }
    .too_long = 長すぎる、または多すぎるもの: { $fields }
    .no_product = このアカウントの製品が AWS にありません。
listing-logo = 製品にロゴがある
    .remediation = ロゴを S3 に置き、AWS に登録してください。
    .ok = あります。
    .none = ありません。
    .no_product = このアカウントの製品が AWS にありません。
listing-support-text = サポートの連絡方法が示されている
    .remediation = AWS でサポート情報を記入してください。
    .ok = 記入されています。
    .none = 記入されていません。
    .no_product = このアカウントの製品が AWS にありません。
listing-eula = オファーに使用許諾契約がある
    .remediation = 公開オファーに AWS の標準契約を選ぶか、独自の契約をアップロードしてください。
    .ok = あります。
    .none = ありません。
    .no_offer = 公開オファーがありません。
    .no_product = このアカウントの製品が AWS にありません。
listing-refund-policy = オファーに返金ポリシーがある
    .remediation = 公開オファーの返金ポリシーを記入してください。
    .ok = あります。
    .none = ありません。
    .no_offer = 公開オファーがありません。
    .no_product = このアカウントの製品が AWS にありません。
listing-price-positive = すべてのディメンションに価格があり、少なくとも 1 つは有料である
    .remediation = 公開オファーに価格を設定してください。テスト中は 0.01 ドルなどの少額にします。
    .ok = 設定されています。
    .none = 公開オファーに価格がありません。
    .unpriced = 価格のないもの: { $keys }
    .free = すべて 0 ドルのため、無料の製品として扱われます。
    .no_offer = 公開オファーがありません。
    .no_product = このアカウントの製品が AWS にありません。
listing-not-private-only = だれでも購入できるオファーがある
    .remediation = 公開オファーをリリースしてください。プライベートオファーだけのディメンションは認められません。
    .ok = あります。
    .private = プライベートオファーか無料トライアルだけです。
    .ended = だれでも購入できるオファーは終了しています。
    .draft = 公開オファーはまだ下書きです。
    .no_offer = オファーがありません。
    .no_product = このアカウントの製品が AWS にありません。
listing-targeting = 限定公開の製品を 5 つ以上のテスト用アカウントが購入できる
    .remediation = テストする人の AWS アカウント ID を、製品の許可アカウントに追加してください。
    .ok = { $count } アカウントが許可されています。
    .public = 公開されています。
    .few = 許可されているのは { $count } アカウントです。
    .no_product = このアカウントの製品が AWS にありません。

### スタック

wiring-eventbridge-rule = AWS のイベントがスタックに届く
    .remediation = スタックが us-east-1 にあり、デフォルトバスのルールが有効であることを確認してください (aws events enable-rule)。削除されたものの戻し方は docs/OPERATIONS.md にあります。
    .ok = 契約とライセンスのすべてのイベントが届きます。
    .none = デフォルトバスにルールがありません。
    .disabled = 有効で、スタックの Marketplace イベント用キューをターゲットとするルールがありません: { $rules }
    .unmatched = 届かないイベント: { $types }
    .pattern = イベントパターンに、監査機能が対応していない記述があります: { $rules }
wiring-sns-subscription = AWS のトピックがスタックに届く
    .remediation = samconfig.toml にトピックの ARN (SubscriptionTopicArn、EntitlementTopicArn) を記述し、デプロイしてください。手作業で削除・無効化されたものはデプロイだけでは戻りません。戻し方は docs/OPERATIONS.md にあります。
    .ok = サブスクリプションは確認済みです。
    .none = スタックが購読していないもの: { $topics }
    .deleted = 購読が削除されたもの: { $topics }
    .unconfirmed = 未確認のもの: { $topics }
wiring-queues-drained = デッドレターキューが空である
    .remediation = stallkeeper dlq show で内容を確かめてください。キューごとの対処が表示されます (docs/OPERATIONS.md)。
    .ok = デッドレターキューはすべて空です。
    .none = デッドレターキューがありません。
    .not_empty = メッセージが残っているキュー: { $queues }
    .deleted = 削除されたキュー: { $queues }。戻し方は docs/OPERATIONS.md にあります。
wiring-schedules = 定期実行が動いている
    .remediation = 無効のものは有効にし、遅れているものは Lambda 関数のログを確認してください (docs/OPERATIONS.md)。新しいスタックでは、利用量の報告は 5 分以内、照合は次の正時、監査は 06:00 UTC に初めて実行されます。それまでお待ちください。
    .ok = すべて有効で、時間どおりに実行されています。
    .none = スケジュールがありません。
    .disabled = 無効のもの: { $schedules }
    .late = 時間どおりに実行されていないもの (最終実行): { $schedules }
    .never = まだ一度も実行されていないもの: { $schedules }
wiring-alarms = すべてのアラームが存在して有効で、ALARM 状態のものがない
    .remediation = 各アラームの意味と対処、削除・無効化されたものの戻し方は docs/OPERATIONS.md にあります。ReporterStoppedAlarm のアクションは、Reporter が off の間は無効です。
    .ok = { $count } 件のうち、ALARM 状態のものはありません。
    .none = アラームがありません。
    .in_alarm = ALARM 状態のもの: { $alarms }
    .missing = CloudWatch にないもの: { $alarms }
    .actions_disabled = アクションが無効で、だれにも通知されないもの: { $alarms }
wiring-permissions = 関数に必要な AWS の権限がある
    .remediation = まだ確認できていないものは、テスト購入で確認できます (登録、契約の取得、その時間が締まった後の利用量の送信)。AWS が拒否するものは、テンプレートどおりにデプロイし直し、アクセス許可の境界や組織のポリシーを確認してください。
    .ok = このリスティングに必要な呼び出しは、すべて AWS に許可されています。
    .unobserved = まだ呼び出されていないもの: { $actions }
    .refused = AWS が拒否するもの: { $actions }
    .uncertain = AWS に拒否された後、再び呼び出されていないもの: { $actions }
wiring-backups = テーブルを任意の時点に復元できる
    .remediation = ポイントインタイムリカバリを有効にしてください (aws dynamodb update-continuous-backups)。テンプレートでは有効なので、手作業で無効にされています。戻し方は docs/OPERATIONS.md にあります。
    .ok = ポイントインタイムリカバリは有効です。
    .disabled = ポイントインタイムリカバリが無効です。
wiring-audit-log = 監査ログを 1 年以上保存する
    .remediation = 監査ログの保存期間を 400 日にしてください (aws logs put-retention-policy)。テンプレートでは 400 日なので、手作業で変更されています。戻し方は docs/OPERATIONS.md にあります。
    .ok = { $log } の保存期間は十分です。
    .none = 監査ログがありません。
    .too_short = { $log } の保存期間が { $days } 日しかありません。

### 動作の実績

evidence-token-resolved = 購入者のトークンを解決した
    .remediation = テスト用アカウントで限定公開の製品を購入し、「Set up your account」を選んでください。
    .ok = 最終 { $at }
    .none = まだ実績がありません。
evidence-license-activated = AWS からのイベントでライセンスが有効になった
    .remediation = テスト用アカウントで限定公開の製品を購入してください。数分のうちに AWS からイベントが届きます (「License Updated」、customer モードのリスティングでは「subscribe-success」)。
    .ok = 最終 { $at }
    .none = まだ実績がありません。
evidence-entitlement-read = 利用権を取得した
    .remediation = テスト用アカウントで契約を購入し、登録してください。利用権は、AWS からライセンスの通知が届いたとき、購入者が登録したとき、照合のときに取得します。AWS の審査では GetEntitlements の成功が確認されます。
    .ok = 最終 { $at }
    .none = まだ実績がありません。
evidence-usage-accepted = AWS が利用量レコードを受け付けた
    .remediation = テスト購入の利用量を報告し (docs/CONNECT.md)、その時間が締まるまでお待ちください。AWS の審査では BatchMeterUsage の成功が確認されます。
    .ok = 最終 { $at }
    .none = まだ実績がありません。
evidence-agreement-changed = 契約の変更が反映された
    .remediation = AWS Marketplace でテスト購入の契約を変更してください (契約数量の変更、更新、別のオファーへの切り替え)。
    .ok = 最終 { $at }
    .none = まだ実績がありません。
evidence-ending-flushed = ライセンスの終了が反映され、利用量がすべて送信された
    .remediation = テスト購入を終了してください。サブスクリプションは AWS Marketplace で解約し、契約はキャンセルを申請します。契約の終了からおよそ 1 時間後に、それまでの利用量が送信済みになったうえで、ライセンスが終了します。
    .ok = 最終 { $at }
    .none = まだ実績がありません。
evidence-bad-token-refused = 無効なトークンを拒否した
    .remediation = 監査機能は無効なトークンを送ります。もう一度実行してください (stallkeeper readiness --refresh、--stage も指定)。
    .ok = 最終 { $at }
    .none = まだ実績がありません。
evidence-buyer-notified = 購入者にメールを送信した
    .remediation = samconfig.toml に MailFrom を記述してデプロイし、テスト購入を登録してください。アプリケーションから購入者にメールを送るために MailFrom を空にしている場合は、届くことを確かめて申告してください。
    .ok = 最終 { $at }
    .none = まだ実績がありません。

### レポート

report-kind = 準備状況レポート
report-title = { $product }: { $all } 手順中 { $done } 手順が完了
report-answer = { $all } 手順中 { $done } 手順が完了
report-next = 次の手順:
report-next-failing = 先に直す手順:
report-next-aws = AWS の対応待ち:
report-done-staging = テストフェーズは完了しました。次は本番フェーズです。本番用のスタックで進めます。このスタックは、変更を試したり不具合を再現したりする場所として残してください。
report-done-production = すべての手順が完了し、だれでも製品を購入できます。
report-step-unknown = このバージョンにない手順

report-code = 製品コード
report-phase = フェーズ
report-visibility = 公開状態
report-checked = 確認日時
report-since = { $day } から

report-visibility-draft = Draft (下書き)
report-visibility-limited = Limited (限定公開)
report-visibility-public = Public (公開)
report-visibility-restricted = Restricted (販売停止)
report-visibility-unknown = 判別できません
report-visibility-unread = 製品を確認できません

report-path = 公開までの手順
report-here = 現在の手順
report-phase-seller = 出品者アカウント
    .note = 一度だけ行い、申告はスタックごとに行います。
report-phase-staging = テストフェーズ
    .note = スタック「staging」と限定公開の製品。公開後も残します。
report-phase-production = 本番フェーズ
    .note = スタック「production」と実際に販売する製品。
report-ahead = テストフェーズの後に進みます。レポートは本番用のスタックが別に作ります。
report-beside = 並行して使い続けます。レポートはテスト用のスタックが別に作ります。

report-to-do = 未完了の作業と担当者
    .none = 未完了の作業はありません。
    .later = この後の手順の未完了チェック: { $count } 件
report-actor-seller = 出品者
    .what = AWS Marketplace Management Portal での作業
report-actor-operator = 運用担当者
    .what = スタックとリスティングのファイルの作業
report-actor-developer = 開発者
    .what = アプリケーションの作業
report-actor-aws = AWS
    .what = 審査と公開
report-portal = AWS Marketplace Management Portal を開く

report-waits = 所要期間の目安
report-wait-review = AWS の最終審査
    .time = 7〜10 営業日
    .note = AWS のワークショップには 3〜5 営業日とするものもありますが、長いほうで計画してください。
report-wait-publication = 公開
    .time = 3〜5 営業日
    .note = 審査の完了後にかかる期間です。
report-wait-price = 値上げ
    .time = 90 日間
    .note = 値上げ後の 90 日間は価格を変更できません。実際の価格は、審査を申請する前に設定してください。

report-steps = 手順とチェック
report-state-done = 完了
report-state-ready = 要対応
report-state-failing = 要修正
report-state-waiting = 順番待ち
report-open = 未完了のチェック: { $count } 件
report-holding = 完了したチェック: { $count } 件
report-remediation = 対処
report-attest = 申告するには
report-rule = 要件
report-recommended = 推奨
report-attested-by = 申告者: { $name }

report-sign-passes = 問題なし
    .meaning = 調べた結果、満たしています。
report-sign-attested = 申告済み
    .meaning = プログラムでは調べられないため、運用担当者が確認して申告しました。申告は 180 日後に失効します。
report-sign-to-do = 未完了
    .meaning = 調べた結果、まだできていません。
report-sign-fails = 要修正
    .meaning = 調べた結果、誤りがあります。
report-sign-unknown = 未確認
    .meaning = 調べられなかったか、調べても判断できませんでした。満たしたものとしては扱いません。

report-history = 変更履歴
    .first = 最初のレポートです。今後の変更がここに表示されます。
    .none = これまでのレポートから変わったチェックはありません。
report-signs = チェック結果の種類
report-made = Stallkeeper が AWS、スタック、製品のページのデータから作成しました。このファイルは外部から何も読み込みません。レポート { $id }

# Times, in the format of strftime.
report-moment-format = %Y年%-m月%-d日 %H:%M (UTC)
report-day-format = %Y年%-m月%-d日
