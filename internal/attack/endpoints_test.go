//go:build linux

package attack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"dmconnector/aliyundm"
)

func endpointAttacks() []scenario {
	return []scenario{{"Endpoints that the API must not accept", setup{}, badEndpoints}}
}

// rentable are host names below aliyuncs.com that anyone can rent or reach, and others
// that are not Direct Mail's.
func rentable() []string {
	var hosts []string
	regions := []string{"cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-shenzhen", "ap-southeast-1", "us-east-1", "us-west-1", "eu-central-1"}
	for _, region := range regions {
		for _, pattern := range []string{
			"bucket.oss-%s.aliyuncs.com", "dm.oss-%s.aliyuncs.com", "bucket.oss-%s-internal.aliyuncs.com", "bucket.oss-accelerate.%s.aliyuncs.com",
			"1234567890.%s.fc.aliyuncs.com", "dm.1234567890.%s.fc.aliyuncs.com", "abcdef.%s.fcapp.run", "nlb-abc.%s.nlb.aliyuncs.com",
			"alb-abc.%s.alb.aliyuncs.com", "dm.%s.alb.aliyuncs.com", "group-%s.alicloudapi.com", "dm.%s.aliyuncs.com.attacker.example",
			"dm-vpc.%s.aliyuncs.com.attacker.example", "xdm.%s.aliyuncs.com", "dm-%s.aliyuncs.com", "smtp.%s.aliyuncs.com", "r-abc.redis.%s.rds.aliyuncs.com",
			"rm-abc.mysql.%s.rds.aliyuncs.com", "es-%s.elasticsearch.aliyuncs.com", "c1.%s.cs.aliyuncs.com", "dm.%saliyuncs.com", "sub.dm.%s.aliyuncs.com",
			"ecs.%s.aliyuncs.com", "sts.%s.aliyuncs.com",
		} {
			hosts = append(hosts, fmt.Sprintf(pattern, region))
		}
	}
	return append(hosts,
		"127.0.0.1", "127.0.0.1:8025", "127.0.0.1:22", "localhost:6379", "[::1]:9200", "127.1", "127.000.000.001:80", "2130706433", "0x7f000001", "0.0.0.0:80", "[::]:80",
		"[::ffff:127.0.0.1]:80", "LOCALHOST:80", "localhost.:80", "10.0.0.1", "192.168.0.1:443", "169.254.169.254", "100.100.100.200", "[fe80::1]", "[fd00::1]",
		"100.100.100.200:80", "metadata.google.internal", "aliyuncs.com", ".aliyuncs.com", "*.aliyuncs.com", "evil.aliyuncs.com", "dm.aliyuncs.com.", "dm.aliyuncs.com..",
		"dm.aliyuncs.com:0", "dm.aliyuncs.com:99999", "dm.aliyuncs.com:", "dm.aliyuncs.com:80:80", "dm.aliyuncs.com@attacker.example", "attacker.example",
		"user:password@dm.aliyuncs.com", "user@dm.aliyuncs.com", "attacker.example#dm.aliyuncs.com", "attacker.example?dm.aliyuncs.com", "attacker.example/dm.aliyuncs.com",
		"attacker.example\\dm.aliyuncs.com", "dm.aliyuncs.com/path", "dm.aliyuncs.com?query", "dm.aliyuncs.com#fragment", "dm.aliyuncs.com%2eattacker.example", "dm.aliyuncs.com%00.attacker.example",
		"dm.aliyuncs.com\x00.attacker.example", "dm.aliyuncs.com\r\nHost: attacker.example", "dm.aliyuncs.com attacker.example", "dm\u3002aliyuncs\u3002com", "ｄｍ.aliyuncs.com", "dm.aliyunсs.com",
		"dm-aliyuncs.com", "dmaliyuncs.com", "xn--dm-aliyuncs-com", strings.Repeat("a", 300)+".aliyuncs.com", strings.Repeat("a.", 30000)+"aliyuncs.com",
	)
}

func badEndpoints(t *testing.T, g *target) (string, string) {
	var endpoints []string
	for _, host := range rentable() {
		endpoints = append(endpoints, host, "https://"+host, "http://"+host)
	}
	for _, scheme := range []string{"ftp", "file", "gopher", "unix", "javascript", "HTTP", "//", "ws"} {
		endpoints = append(endpoints, scheme+"://dm.aliyuncs.com", scheme+":dm.aliyuncs.com")
	}
	// A scheme is case-insensitive, and a host may stand alone.
	endpoints = slices.DeleteFunc(endpoints, func(e string) bool { return e == "//:dm.aliyuncs.com" })

	client := g.client(true)
	post := func(path string, body any) answer {
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		a, err := g.call(client, http.MethodPost, path, string(data), "Authorization", "Bearer "+adminToken, "Content-Type", "application/json")
		if err != nil {
			t.Error(err)
		}
		return a
	}
	requests := 0
	var accepted tally
	for i, endpoint := range endpoints {
		config := goodConnector()
		config["accessKeyId"], config["accessKeySecret"], config["endpoint"] = keyID, keySecret, endpoint
		tries := map[string]any{
			"/api/connectors":                            map[string]any{"connectorId": "aliyun-direct-mail", "id": fmt.Sprintf("evil%d", i), "config": config},
			"/api/connectors/aliyun-direct-mail/test":    map[string]any{"email": "user@example.com", "config": config},
			"/api/connectors/aliyun-direct-mail/preview": map[string]any{"type": "SignIn", "config": config},
			"/api/connectors/aliyun-direct-mail/doctor":  map[string]any{"config": config},
		}
		for path, body := range tries {
			if path != "/api/connectors" && i%8 != 0 { // the same check; tests are limited, too
				continue
			}
			requests++
			// The limit of test mails counts before the connector is looked at.
			if a := post(path, body); a.status != http.StatusBadRequest && (a.status != http.StatusTooManyRequests || !strings.HasSuffix(path, "/test")) {
				accepted.add(fmt.Sprintf("%s with %.80q", path, endpoint))
			}
		}
	}
	if n := accepted.total(); n > 0 {
		t.Errorf("%d endpoints are not rejected: %.3000s", n, &accepted)
	}
	for _, region := range aliyundm.Regions() {
		for _, host := range []string{region.Endpoint, region.VPCEndpoint} {
			config := goodConnector()
			config["accessKeyId"], config["accessKeySecret"], config["endpoint"], config["regionId"] = keyID, keySecret, host, region.ID
			a := post("/api/connector-factories/aliyun-direct-mail/validate", map[string]any{"config": config})
			if host != "" && (a.status != http.StatusOK || !strings.Contains(a.body, `"valid":true`)) {
				t.Errorf("%s is answered %d %.300s", host, a.status, a.body)
			}
		}
	}
	return fmt.Sprintf("%s requests with %s endpoints: buckets, functions, load balancers, other services, loopback, private addresses, look-alikes, user info, odd schemes", thousands(requests), thousands(len(endpoints))),
		"all were rejected with 400; Direct Mail's own hosts pass"
}
