package deploy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

const composeFile = "../../../deploy/compose.yaml"

// example fills in what .env.example leaves open.
func example(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile("../../../deploy/.env.example")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^([A-Z_]+)=(.*)$`).FindAllStringSubmatch(string(data), -1) {
		if env[match[1]] = match[2]; match[2] == "" {
			env[match[1]] = "value-of-" + match[1]
		}
	}
	return env
}

func load(t *testing.T, env map[string]string) (*types.Project, error) {
	t.Helper()
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: "../../../deploy", ConfigFiles: []types.ConfigFile{{Filename: composeFile}}, Environment: env,
	})
}

// The chart, the compose file and the unit allow the same memory.
func TestMemoryLimitsAgree(t *testing.T) {
	project, err := load(t, example(t))
	if err != nil {
		t.Fatal(err)
	}
	const want = 256 << 20
	if got := int64(project.Services["dmconnector"].MemLimit); got != want {
		t.Errorf("the compose file allows %d bytes", got)
	}
	unit, err := os.ReadFile("../../../deploy/systemd/dmconnector.service")
	if err != nil || !strings.Contains(string(unit), "\nMemoryMax=256M\n") {
		t.Errorf("the unit does not allow 256 MiB: %v", err)
	}
	manifests, err := render(t, map[string]any{"secret": map[string]any{"existing": "mail"}})
	if err != nil || !strings.Contains(manifests, "memory: 256Mi") {
		t.Errorf("the chart does not allow 256 MiB: %v", err)
	}
}

func TestCompose(t *testing.T) {
	env := example(t)
	project, err := load(t, env)
	if err != nil {
		t.Fatal(err)
	}
	service := project.Services["dmconnector"]
	if !service.ReadOnly || len(service.CapDrop) == 0 {
		t.Error("dmconnector may write to its root, or has capabilities")
	}
	state := service.Environment["DMCONNECTOR_STATE"]
	if want := "postgres://dmconnector:value-of-DMCONNECTOR_DB_PASSWORD@postgres:5432/dmconnector"; state == nil || *state != want {
		t.Errorf("state %v", state)
	}
	// The database's own script keeps its variables.
	if script := project.Configs["database"].Content; !strings.Contains(script, `password="$DMCONNECTOR_DB_PASSWORD"`) {
		t.Error(script)
	}
	for name, service := range project.Services {
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is open to the net", name, port.Published)
			}
		}
	}
}

// Nothing runs with an empty password, and the example names all there is to fill in.
func TestComposeNeedsItsSecrets(t *testing.T) {
	env := example(t)
	for name, value := range env {
		if !strings.HasPrefix(value, "value-of-") {
			continue
		}
		env[name] = ""
		if _, err := load(t, env); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
		env[name] = value
	}
}
