package aliyundm

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
)

// Credentials are an access key, with a security token if the key is a temporary
// one (STS). Printed, logged or marshalled they show the beginning of the key's
// id and nothing else.
type Credentials struct {
	AccessKeyID     string
	AccessKeySecret string
	SecurityToken   string
}

// String returns the beginning of the access key's id.
func (c Credentials) String() string { return "access key " + c.hint() }

// GoString is like String, for the verb %#v.
func (c Credentials) GoString() string {
	return fmt.Sprintf("aliyundm.Credentials{AccessKeyID:%q}", c.hint())
}

// LogValue is like String, for package slog.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.hint()) }

// MarshalJSON is like String, for package json. Nothing reads it back.
func (c Credentials) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"accessKeyId": c.hint()})
}

// hint tells one long key from another, and nothing of a short one.
func (c Credentials) hint() string {
	if len(c.AccessKeyID) < 16 {
		return "***"
	}
	return c.AccessKeyID[:6] + "***"
}

// provider hands the SDK's signing the credentials it was made of; the SDK's own
// providers look into the environment where a value is empty. It is a function,
// as printing one never shows what it knows.
type provider func() *credentials.Credentials

func newProvider(c Credentials) provider {
	key := &credentials.Credentials{
		AccessKeyId:     c.AccessKeyID,
		AccessKeySecret: c.AccessKeySecret,
		SecurityToken:   c.SecurityToken,
	}
	return func() *credentials.Credentials { return key }
}

// GetCredentials returns what signing only reads, so that calls may share it.
func (p provider) GetCredentials() (*credentials.Credentials, error) { return p(), nil }

// GetProviderName is needed by the SDK's interface and not used in signing.
func (p provider) GetProviderName() string { return "dmconnector" }
