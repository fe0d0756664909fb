package sandbox

import "net/http"

// A refusal is an error answer of Direct Mail.
type refusal struct {
	status  int
	code    string
	message string
}

// refuse is the refusal with the code, which has to be in the catalogue.
func refuse(code string) *refusal {
	e := catalogue[code]
	return &refusal{e.status, code, e.message}
}

// about adds to the messages that do so what arrived: the string to sign as
// the server made it. It holds the whole mail and is for the answer alone.
func (r *refusal) about(c *call) *refusal {
	switch {
	case r.code == "SignatureDoesNotMatch" && c.sign.acs3:
		r.message = "Specified signature does not match our calculation. server StringToSign is [" + c.sign.toSign +
			"]server CanonicalRequest is [" + c.sign.canonical + "]"
	case r.code == "SignatureDoesNotMatch", r.code == "IncompleteSignature":
		r.message += c.sign.toSign
	}
	return r
}

// missing refuses a call without a parameter that is mandatory.
func missing(name string) *refusal {
	return &refusal{http.StatusBadRequest, "Missing" + name, name + " is mandatory for this action."}
}

// invalid refuses a parameter's value.
func invalid(name string) *refusal {
	return &refusal{http.StatusBadRequest, "Invalid" + name, "Specified parameter " + name + " is not valid."}
}
