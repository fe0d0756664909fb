package connector

// SampleMessage returns a message as Logto sends it for the usage type, with
// values that nobody has: for previews and test mails.
func SampleMessage(usageType string) Message {
	application := map[string]any{"id": "sample-app", "name": "Sample App"}
	payload := map[string]any{"code": "123456", "locale": "en", "application": application}
	switch usageType {
	case Generic:
		payload = map[string]any{"code": "123456"}
	case OrganizationInvitation:
		payload = map[string]any{
			"organization": map[string]any{"id": "sample-org", "name": "Sample Organization", "branding": map[string]any{}},
			"inviter":      samplePerson(),
			"link":         "https://app.example.com/join?invitation=sample",
		}
	case UserPermissionValidation, BindNewIdentifier:
		payload["user"] = samplePerson()
	}
	return Message{To: "user@example.com", Type: usageType, Payload: payload}
}

func samplePerson() map[string]any {
	return map[string]any{
		"id": "sample-user", "name": "Sample User", "username": "sample_user", "primaryEmail": "user@example.com",
		"primaryPhone": nil, "avatar": nil, "profile": map[string]any{},
	}
}
