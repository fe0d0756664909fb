package connector

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"time"

	"dmconnector/aliyundm"
	"dmconnector/internal/strictjson"
	"dmconnector/internal/words"
	"dmconnector/templates"
)

// A Config is a connector's JSON: exactly what Logto's connector-aliyun-dm
// takes, and what goes beyond it. The zero value of an optional field means
// that the JSON did not have it.
type Config struct {
	AccessKeyID     string `json:"accessKeyId" validate:"required_without=Credentials"`
	AccessKeySecret Secret `json:"accessKeySecret" validate:"required_without=Credentials"`
	SecurityToken   Secret `json:"securityToken,omitempty"` // of temporary (STS) keys
	Credentials     *Role  `json:"credentials,omitempty"`   // instead of the three

	RegionID string `json:"regionId,omitempty"` // default cn-hangzhou
	Endpoint string `json:"endpoint,omitempty"` // instead of the region's own: a VPC's or a private one

	AccountName  string `json:"accountName" validate:"required,address"` // the sender address
	FromAlias    string `json:"fromAlias,omitempty" validate:"max=15"`
	ReplyAddress string `json:"replyAddress,omitempty" validate:"omitempty,address"`
	TagName      string `json:"tagName,omitempty" validate:"omitempty,tagname"`

	Limits          *Limits           `json:"limits,omitempty"`
	CodeLifetime    string            `json:"codeLifetime,omitempty" validate:"omitempty,lifetime"`
	DefaultLanguage string            `json:"defaultLanguage,omitempty" validate:"omitempty,language"`
	Delivery        map[string]string `json:"delivery,omitempty" validate:"dive,oneof=direct queued"` // by usage type
	OnUnknown       string            `json:"onUnknown,omitempty" validate:"omitempty,oneof=resend hold"`
	OnMissing       string            `json:"onMissing,omitempty" validate:"omitempty,oneof=keep refuse empty"`

	Templates []Template `json:"templates" validate:"required,dive"`
}

// Limits are rates such as "10/10m" (ten at once, refilled evenly over ten
// minutes), or "off".
type Limits struct {
	Recipient string `json:"recipient,omitempty" validate:"omitempty,rate"`
	IP        string `json:"ip,omitempty" validate:"omitempty,rate"`
	Connector string `json:"connector,omitempty" validate:"omitempty,rate"`
}

// A Template is one template of a connector.
type Template = templates.Source

// A Secret is a string that prints, logs and marshals as "[redacted]". Convert
// it to string at the one place that needs the value.
type Secret string

const redacted = "[redacted]"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// A Rate allows Count at once and refills them evenly over Per.
type Rate struct {
	Count int
	Per   time.Duration
}

// ParseRate reads a rate such as "10/10m". Count is 1 to 1,000,000 and the time
// one second to 24 hours.
func ParseRate(s string) (Rate, error) {
	count, per, ok := strings.Cut(s, "/")
	n, err := strconv.Atoi(count)
	d, derr := words.Duration(per)
	if !ok || err != nil || derr != nil || n < 1 || n > 1_000_000 || d < time.Second || d > 24*time.Hour {
		return Rate{}, fmt.Errorf("%q is not a rate such as 10/10m", s)
	}
	return Rate{Count: n, Per: d}, nil
}

// ParseLifetime reads how long a code is valid, one minute to 24 hours, such as
// "10m".
func ParseLifetime(s string) (time.Duration, error) {
	d, err := words.Duration(s)
	if err != nil || d < time.Minute || d > 24*time.Hour {
		return 0, fmt.Errorf("%q is not a time from 1m to 24h", s)
	}
	return d, nil
}

// ParseOptions say how [Parse] and [Check] read a connector's JSON.
type ParseOptions struct {
	// Strict makes unknown keys errors; else they are warnings.
	Strict bool
	// Resolve looks up references such as ${env:NAME} (kind "env") and
	// ${file:PATH} (kind "file") in the credential fields, and in the environment what
	// credentials leave out. Nil refuses references and credentials, for JSON that does
	// not come from the operator.
	Resolve func(kind, name string) (string, error)
	// AllowedEndpoints are hosts that endpoints may name besides Direct Mail's and
	// STS's own. One with a port allows only that port.
	AllowedEndpoints []string
	// Loopback lets endpoints name this machine.
	Loopback bool
}

// Parse reads a connector's JSON. The error is an [*InvalidError] with all that is
// wrong with it; [Check] also tells what is doubtful.
func Parse(data []byte, opts ParseOptions) (*Config, error) {
	cfg, report := Check(data, opts)
	return cfg, report.Err()
}

// Check reads a connector's JSON and reports all errors and warnings at once. The
// config is nil if there are errors.
func Check(data []byte, opts ParseOptions) (*Config, Report) {
	tree, err := strictjson.Decode(data)
	if syntax, ok := errors.AsType[*strictjson.Error](err); ok {
		var report Report
		report.errorf(syntax.Pointer, "Fix the JSON: %s", syntax.Error())
		return nil, report
	}
	return CheckTree(tree, opts)
}

// CheckTree is [Check] for JSON that is already decoded into maps, slices, strings,
// numbers, booleans and nil, as part of a larger text.
func CheckTree(tree any, opts ParseOptions) (*Config, Report) {
	var (
		cfg    Config
		report Report
	)
	root, _ := tree.(map[string]any)
	word, isWord := root["templates"].(string)
	builtin := word == "builtin"
	if isWord && !builtin {
		report.errorf("/templates", `Use "builtin" or an array of templates%s`, words.DidYouMean(word, []string{"builtin"}))
	}
	if isWord {
		root = maps.Clone(root)
		root["templates"] = []any{} // of the shape that the other checks expect
		tree = root
	}
	shape{&report, opts.Strict}.value(reflect.ValueOf(&cfg).Elem(), tree, "")
	if builtin {
		cfg.Templates = BuiltinTemplates()
	}
	readKeys(&cfg, opts.Resolve, &report)
	checkKeys(&cfg, &report)
	checkFields(&cfg, &report)
	checkCredentials(&cfg, opts, &report)
	checkEndpoint(&cfg, opts, &report)
	lint(&cfg, builtin, &report)
	if len(report.Errors) > 0 {
		return nil, report
	}
	return &cfg, report
}

// BuiltinTemplates are the built-in templates, which `"templates": "builtin"`
// means.
func BuiltinTemplates() []Template { return templates.Builtin() }

// ClientOptions returns what [aliyundm.NewClient] needs to send as the config says,
// with an access key or as a role.
func (c *Config) ClientOptions() aliyundm.Options {
	o := aliyundm.Options{Region: c.RegionID, Endpoint: c.Endpoint}
	switch r := c.Credentials; {
	case r == nil:
		o.Credentials = aliyundm.Credentials{
			AccessKeyID: c.AccessKeyID, AccessKeySecret: string(c.AccessKeySecret), SecurityToken: string(c.SecurityToken),
		}
	case r.Type == ECSRole:
		o.ECSRole = &aliyundm.ECSRole{Name: r.RoleName}
	default:
		o.OIDCRole = &aliyundm.OIDCRole{
			RoleARN: r.RoleARN, ProviderARN: r.OIDCProviderARN, TokenFile: r.OIDCTokenFile,
			SessionName: r.SessionName, Policy: r.Policy, Endpoint: r.STSEndpoint,
		}
	}
	return o
}
