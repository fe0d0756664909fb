// Package deploy_test holds what is in deploy/ to the tools that read it.
package deploy_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

const chartFolder = "../../../deploy/helm/dmconnector"

// kinds are Kubernetes' own types, which know every field. A ServiceMonitor is of
// Prometheus' operator.
var kinds = map[string]func() any{
	"Deployment":            func() any { return new(appsv1.Deployment) },
	"Service":               func() any { return new(corev1.Service) },
	"ServiceAccount":        func() any { return new(corev1.ServiceAccount) },
	"Secret":                func() any { return new(corev1.Secret) },
	"ConfigMap":             func() any { return new(corev1.ConfigMap) },
	"PersistentVolumeClaim": func() any { return new(corev1.PersistentVolumeClaim) },
	"PodDisruptionBudget":   func() any { return new(policyv1.PodDisruptionBudget) },
	"ServiceMonitor":        func() any { return new(map[string]any) },
}

func TestChart(t *testing.T) {
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			values := readValues(t, filepath.Join("testdata", "chart", name+".yaml"))
			for _, message := range lint.RunAll(chartFolder, values, "mail").Messages {
				// That it has no icon is information.
				if message.Severity > support.InfoSev {
					t.Error(message)
				}
			}
			got, err := render(t, values)
			if err != nil {
				t.Fatal(err)
			}
			for document := range strings.SplitSeq(got, "\n---\n") {
				checkManifest(t, document)
			}
			golden(t, filepath.Join("testdata", "chart", name+".golden.yaml"), got)
		})
	}
}

// The chart rejects values that cannot work, with the reason.
func TestChartRefuses(t *testing.T) {
	tests := map[string]struct{ values, want string }{
		"replicas on SQLite":      {"replicaCount: 2\nsecret: {existing: x}", "several replicas need state.kind postgres"},
		"no tokens":               {"state: {kind: sqlite}", "secret.sendToken, or secret.existing, is needed"},
		"no address":              {"state: {kind: postgres}\nsecret: {sendToken: a, adminToken: b, secretKey: c}", "state.address, or secret.existing, is needed"},
		"a misspelt value":        {"replicas: 2\nsecret: {existing: x}", "additional properties 'replicas' not allowed"},
		"a state that is none":    {"state: {kind: mysql}\nsecret: {existing: x}", "value must be one of 'sqlite', 'postgres'"},
		"a connector of no shape": {"connectors: {default: {accessKeyId: x}}\nsecret: {existing: x}", "missing properties 'accountName', 'templates'"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			values := map[string]any{}
			if err := yaml.Unmarshal([]byte(tt.values), &values); err != nil {
				t.Fatal(err)
			}
			if _, err := render(t, values); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

func readValues(t *testing.T, path string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	if err := yaml.UnmarshalStrict(data, &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// render returns the manifests, by the names of their templates.
func render(t *testing.T, values map[string]any) (string, error) {
	t.Helper()
	chart, err := loader.Load(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	release := common.ReleaseOptions{Name: "mail", Namespace: "logto", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, common.DefaultCapabilities)
	if err != nil {
		return "", err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return "", err
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := strings.TrimSpace(files[name])
		if text != "" && strings.HasSuffix(name, ".yaml") {
			out = append(out, text)
		}
	}
	return strings.Join(out, "\n---\n") + "\n", nil
}

// checkManifest rejects fields that Kubernetes does not have, and keys that come
// twice.
func checkManifest(t *testing.T, document string) {
	t.Helper()
	var head struct{ Kind string }
	if err := yaml.Unmarshal([]byte(document), &head); err != nil {
		t.Fatal(err)
	}
	object, known := kinds[head.Kind]
	if !known {
		t.Fatalf("kind %q", head.Kind)
	}
	if err := yaml.UnmarshalStrict([]byte(document), object()); err != nil {
		t.Errorf("%s: %v", head.Kind, err)
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := firstDifference(string(want), got); diff != "" {
		t.Errorf("%s: %s\nwith -update it is written anew", path, diff)
	}
}

func firstDifference(want, got string) string {
	wants, gots := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(wants), len(gots)) {
		var w, g string
		if i < len(wants) {
			w = wants[i]
		}
		if i < len(gots) {
			g = gots[i]
		}
		if w != g {
			return fmt.Sprintf("line %d is\n%s\nnot\n%s", i+1, g, w)
		}
	}
	return ""
}
