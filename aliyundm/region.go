package aliyundm

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// DefaultRegion is the region of a client whose options name none.
const DefaultRegion = "cn-hangzhou"

// A Region is one of the places where Direct Mail runs. Sender addresses,
// domains and activation belong to one region each.
type Region struct {
	ID          string
	Name        string
	Endpoint    string // the host that takes calls
	VPCEndpoint string // the host for callers in a VPC of the same region
	Closed      bool   // Direct Mail no longer takes mail here
}

// Regions returns all regions of Direct Mail, the default one first.
// https://www.alibabacloud.com/help/en/direct-mail/api-endpoints
func Regions() []Region {
	return []Region{
		{DefaultRegion, "China (Hangzhou)", "dm.aliyuncs.com", "dm-vpc.cn-hangzhou.aliyuncs.com", false},
		{"ap-southeast-1", "Singapore", "dm.ap-southeast-1.aliyuncs.com", "dm-vpc.ap-southeast-1.aliyuncs.com", false},
		{"us-east-1", "US (Virginia)", "dm.us-east-1.aliyuncs.com", "dm-vpc.us-east-1.aliyuncs.com", false},
		{"eu-central-1", "Germany (Frankfurt)", "dm.eu-central-1.aliyuncs.com", "dm-vpc.eu-central-1.aliyuncs.com", false},
		{"ap-southeast-2", "Australia (Sydney)", "dm.ap-southeast-2.aliyuncs.com", "dm-vpc.ap-southeast-2.aliyuncs.com", true},
	}
}

// FindRegion returns the region with the given id.
func FindRegion(id string) (Region, bool) {
	for _, region := range Regions() {
		if region.ID == id {
			return region, true
		}
	}
	return Region{}, false
}

// IsHost reports whether host is one of Direct Mail's own, in lower case. Only the
// region table counts: anybody can rent a bucket, a function or a load balancer below
// aliyuncs.com.
func IsHost(host string) bool {
	return slices.ContainsFunc(Regions(), func(r Region) bool { return host == r.Endpoint || host == r.VPCEndpoint })
}

// IsSTSHost reports whether host is one of STS's own, in lower case: that of all
// regions, or a region's public or VPC host.
func IsSTSHost(host string) bool {
	region, ok := strings.CutSuffix(host, ".aliyuncs.com")
	if !ok {
		return false
	}
	name, region, _ := strings.Cut(region, ".")
	return host == globalSTS || (name == "sts" || name == "sts-vpc") && slices.Contains(stsRegions, region)
}

const globalSTS = "sts.aliyuncs.com"

// stsRegions have hosts of STS.
// https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-endpoint
var stsRegions = strings.Fields(`
	cn-qingdao cn-beijing cn-zhangjiakou cn-huhehaote cn-wulanchabu cn-hangzhou cn-shanghai cn-nanjing
	cn-fuzhou cn-shenzhen cn-heyuan cn-guangzhou cn-chengdu cn-wuhan-lr cn-zhengzhou-jva cn-hongkong
	cn-hangzhou-finance cn-beijing-finance-1 cn-shanghai-finance-1 cn-shenzhen-finance-1 cn-north-2-gov-1
	ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-5
	ap-southeast-6 ap-southeast-7 eu-central-1 eu-west-1 me-central-1 me-east-1 na-south-1 us-east-1 us-west-1`)

// ParseEndpoint reads what may replace a region's host: a host
// ("dm-vpc.cn-hangzhou.aliyuncs.com"), or a URL of nothing but scheme, host and
// port ("https://dm.example.com", "http://127.0.0.1:8025"). Plain http is for
// loopback only, as the mail holds a code. Errors say what to
// change and do not repeat the endpoint.
func ParseEndpoint(endpoint string) (*url.URL, error) {
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil: // the error would repeat the endpoint
		return nil, errors.New("give a host, or a URL such as https://dm-vpc.cn-hangzhou.aliyuncs.com")
	case u.User != nil:
		return nil, errors.New("remove the user name and password")
	case u.Path != "" && u.Path != "/":
		return nil, errors.New("remove the path")
	case strings.ContainsAny(endpoint, "?#"):
		return nil, errors.New("remove the query and the fragment")
	case !validHost(u.Hostname()) || !validPort(u):
		return nil, errors.New("give a valid host, and a valid port if any")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, errors.New("use https: plain http is for loopback only")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("use https")
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host), Path: "/"}, nil
}

var (
	hostPattern   = regexp.MustCompile(`^[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$`)
	regionPattern = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
)

func validHost(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Zone() == ""
	}
	return len(host) <= 253 && hostPattern.MatchString(host)
}

func validPort(u *url.URL) bool {
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return u.Port() == "" || err == nil && port > 0
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}
