package aliyundm

import (
	"strings"
	"unicode/utf8"
)

const (
	maxMessage = 200 // characters
	omitted    = "[…]"
)

// scrub returns what may be shown of a provider's message. Direct Mail's
// messages repeat parts of the call, SignatureDoesNotMatch even all of it, in
// plain, encoded and twice encoded. So nothing is searched for and cut out:
// words pass that are common in such messages, and everything else is left out.
func scrub(message string) string {
	var (
		b      strings.Builder
		length int
		last   string
	)
	for word := range strings.FieldsSeq(message) {
		if !isCommon(word) {
			word = omitted
		}
		if word == omitted && last == omitted {
			continue
		}
		length += utf8.RuneCountInString(word) + 1
		if length > maxMessage {
			b.WriteString("…")
			break
		}
		if last != "" {
			b.WriteByte(' ')
		}
		b.WriteString(word)
		last = word
	}
	return b.String()
}

// isCommon reports whether a word, less the punctuation around and within it,
// is in the vocabulary.
func isCommon(word string) bool {
	if len(word) > 60 {
		return false
	}
	for part := range strings.FieldsFuncSeq(word, isPunctuation) {
		if !vocabulary[strings.ToLower(strings.Trim(part, "'"))] {
			return false
		}
	}
	return true
}

// isPunctuation has no @, % or +: what has those is an address or encoded.
func isPunctuation(r rune) bool { return strings.ContainsRune(`.,:;!?()[]"-/_`, r) }

// vocabulary has the words of Direct Mail's and the gateway's known messages and
// their like, and the numbers that are limits.
var vocabulary = wordSet(`
15 100 192 256
a abnormal about accepted access accesskey accesskeyid accesskeysecret account account's accountname accounts
action activate activated active address addresses addresstype administrator again alias aliyun all allow
allowed already also an and any api are arrears as at attachment attachments authentication authorize authorized
available backend bad balance banned bcc be because been before belong black blacklist blocked blocks body both
bound by bytes calculation call called calls can can't cannot certification change character characters charset
check client clock closed cloud code common conform connection contact contain contains content control correct
create credential credentials credit current currently daily data date day days deactivated default defined
delete deleted delivery denied deny deprecated direct directmail disable disabled dns do documentation does
doesn't domain domains don't due duplicate during each either email empty enable enabled encode encoded encoding
endpoint enough error exceed exceeded exceeds exception exist existed exists expire expired fail failed failure
false field file filter flow follow following for forbid forbidden format formatted formed found frequency
frequent frequently from fromalias frozen full function get grant greater has have header headers help hour
hours html htmlbody http https id identity if illegal in inactive incorrect info information input insufficient
interface internal international into invalid ip is isn't it its json key keys know known later least left
length less letter letters level limit limited limits list locked long longer mail mailaddress mailbox
maintenance malformed malicious mandatory many master match matched matches maximum may message method minimum
minus minute minutes mismatch missing month monthly more most much must name names need needs network no non
nonce not now null number numbers of off on once one only open operate operation or order other our out over
overdue owner package parameter parameters pay perform period periods permission permissions permit permitted
please plus point policy post processing product protocol provide provided quantity query quota ram range rate
rating reach reached read real reason receiver recipient refused region regionid register registered reject
rejected reply replyaddress replyaddressalias replytoaddress request requested requests require required
resource response restricted retry right risk role rule second seconds secret security securitytoken see send
sender sending sendmail sendtype sent server service set sign signature signaturemethod signaturenonce
signatureversion signed signs single singlesendmail size smtp some source spam special specified specify ssl
stamp standard standards status still string subject submit success such supplied support supported sure
suspended system tag tagname tags task template templates temporarily temporary text textbody than that the
their there this throttled throttling time timed timeout times timestamp to toaddress today token tomorrow too
total true try type unable unauthorized unavailable under underscore underscores unexpected unknown unsupported
until unused unverified up upgrade url use used user user's userid users using valid validate validated value
values verification verified verify version via wait want was wasn't way we well whether which while white
whitelist will with within without wrong wrongly xml yet you your
arn assume assumed audience issuer jwt oidc oidcproviderarn oidctoken rolearn rolesessionname session sts trust
`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}
