package aliyundm

// DefaultRegion is where mail goes that names no region.
const DefaultRegion = "cn-hangzhou"

// A Region is one of the places where Direct Mail runs. Sender addresses,
// domains and activation belong to one region each.
type Region struct {
	ID          string
	Name        string
	Endpoint    string // the host that takes calls
	VPCEndpoint string // the host for callers in a VPC of the same region; may be empty
	Closed      bool   // Direct Mail no longer takes mail here
}

// Regions returns all regions of Direct Mail, the default one first.
// https://www.alibabacloud.com/help/en/direct-mail/api-endpoints
func Regions() []Region {
	return []Region{
		{
			ID: DefaultRegion, Name: "China (Hangzhou)",
			Endpoint: "dm.aliyuncs.com", VPCEndpoint: "dm-vpc.cn-hangzhou.aliyuncs.com",
		},
		{
			ID: "ap-southeast-1", Name: "Singapore",
			Endpoint: "dm.ap-southeast-1.aliyuncs.com", VPCEndpoint: "dm-vpc.ap-southeast-1.aliyuncs.com",
		},
		{
			ID: "us-east-1", Name: "US (Virginia)",
			Endpoint: "dm.us-east-1.aliyuncs.com", VPCEndpoint: "dm-vpc.us-east-1.aliyuncs.com",
		},
		{
			ID: "eu-central-1", Name: "Germany (Frankfurt)",
			Endpoint: "dm.eu-central-1.aliyuncs.com", VPCEndpoint: "dm-vpc.eu-central-1.aliyuncs.com",
		},
		{
			ID: "ap-southeast-2", Name: "Australia (Sydney)",
			Endpoint: "dm.ap-southeast-2.aliyuncs.com", Closed: true,
		},
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
