import type * as T from '../generated/bindings';

const regions = (list: [id: string, place: string][]): T.S3Region[] => list.map(([id, place]) => ({ id, place }));

/** The providers of the made-up engine: those of the real one, with fewer regions. */
export const PROVIDERS: T.S3Provider[] = [
  {
    id: 'aws', name: 'Amazon S3', endpoint: 'https://s3.{region}.amazonaws.com', free_region: true, path_style: false, checksums: true, minimum_days: 0,
    storage_classes: ['STANDARD', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE'],
    notes: ['Reading backups back is billed by the gigabyte.', 'Colder classes bill a minimum time: Standard-IA 30 days, Glacier 90, Deep Archive 180.', 'Archives in Glacier and Deep Archive must be brought back before they can be read, which takes hours.'],
    keys_hint: 'Console, IAM, Users, a user that may use this bucket only, Security credentials, Create access key',
    regions: regions([['us-east-1', 'N. Virginia'], ['us-east-2', 'Ohio'], ['us-west-1', 'N. California'], ['us-west-2', 'Oregon'], ['ca-central-1', 'Canada'], ['eu-central-1', 'Frankfurt'], ['eu-central-2', 'Zurich'], ['eu-west-1', 'Ireland']]),
  },
  {
    id: 'linode', name: 'Linode (Akamai)', endpoint: 'https://{region}.linodeobjects.com', free_region: true, path_style: false, checksums: false, minimum_days: 0,
    storage_classes: [],
    notes: ['The number at the region\'s end is not always 1: the bucket\'s page shows its endpoint.', 'Older endpoints hold 5 TB or 100 TB in all; newer ones more.'],
    keys_hint: 'Cloud Manager, Object Storage, Access Keys, Create Access Key, limited to this bucket',
    regions: regions([['nl-ams-1', 'Amsterdam'], ['us-southeast-1', 'Atlanta'], ['in-maa-1', 'Chennai'], ['us-ord-1', 'Chicago'], ['eu-central-1', 'Frankfurt'], ['id-cgk-1', 'Jakarta'], ['gb-lon-1', 'London 2'], ['us-lax-1', 'Los Angeles']]),
  },
  {
    id: 'vultr', name: 'Vultr', endpoint: 'https://{region}.vultrobjects.com', free_region: true, path_style: false, checksums: false, minimum_days: 0,
    storage_classes: [],
    notes: ['Keys and host name belong to one Object Storage subscription.', 'A subscription takes 400 requests a second; Backstay slows down by itself.'],
    keys_hint: 'Customer portal, Cloud Storage, Object Storage, the subscription, S3 Credentials',
    regions: regions([['ams1', 'Amsterdam'], ['blr1', 'Bangalore'], ['del1', 'Delhi'], ['ewr1', 'New Jersey'], ['sgp1', 'Singapore'], ['sjc1', 'Silicon Valley']]),
  },
  {
    id: 'wasabi', name: 'Wasabi', endpoint: 'https://s3.{region}.wasabisys.com', free_region: true, path_style: false, checksums: false, minimum_days: 90,
    storage_classes: [],
    notes: ['Every object is billed for 90 days, so that keeping backups for less time saves nothing.', 'What is read back in a month should not be more than what is stored.'],
    keys_hint: 'Console, Access Keys, Create New Access Key, for a sub-user with this bucket only',
    regions: regions([['us-east-1', 'N. Virginia'], ['us-east-2', 'N. Virginia 2'], ['us-central-1', 'Texas'], ['us-west-1', 'Oregon'], ['us-west-2', 'San Jose'], ['ca-central-1', 'Toronto'], ['eu-central-1', 'Amsterdam'], ['eu-central-2', 'Frankfurt']]),
  },
  {
    id: 'b2', name: 'Backblaze B2', endpoint: 'https://s3.{region}.backblazeb2.com', free_region: true, path_style: false, checksums: false, minimum_days: 0,
    storage_classes: [],
    notes: ['The bucket\'s page shows its endpoint; the region is a part of it.', 'Buckets keep old versions, which are billed; Backstay deletes them with the object.', 'Reading back is free up to three times of what is stored, then billed.'],
    keys_hint: 'Application Keys, Add a New Application Key, for this bucket (the master key does not work)',
    regions: regions([['us-west-001', 'US West 1'], ['us-west-002', 'US West 2'], ['us-west-004', 'US West 4'], ['us-east-005', 'US East'], ['eu-central-003', 'EU Central'], ['ca-east-006', 'Canada East']]),
  },
  {
    id: 'spaces', name: 'DigitalOcean Spaces', endpoint: 'https://{region}.digitaloceanspaces.com', free_region: true, path_style: false, checksums: false, minimum_days: 0,
    storage_classes: [],
    notes: ['A Space takes 150 writes and lists a second; Backstay slows down by itself.', 'The same object may be written only 5 times in 5 minutes.'],
    keys_hint: 'Control panel, Spaces Object Storage, Access Keys, Create Access Key, limited to this Space',
    regions: regions([['nyc3', 'New York'], ['ams3', 'Amsterdam'], ['sfo2', 'San Francisco 2'], ['sfo3', 'San Francisco 3'], ['sgp1', 'Singapore'], ['fra1', 'Frankfurt'], ['lon1', 'London'], ['tor1', 'Toronto']]),
  },
  {
    id: 'r2', name: 'Cloudflare R2', endpoint: '', free_region: false, path_style: true, checksums: false, minimum_days: 0,
    storage_classes: [],
    notes: ['The address is https://ACCOUNT-ID.r2.cloudflarestorage.com; the bucket\'s settings show it.', 'Reading backups back costs nothing.'],
    keys_hint: 'Dashboard, R2, Manage API Tokens, Create API Token with Object Read & Write for this bucket',
    regions: regions([['auto', 'Automatic']]),
  },
  {
    id: 'hetzner', name: 'Hetzner', endpoint: 'https://{region}.your-objectstorage.com', free_region: true, path_style: false, checksums: false, minimum_days: 0,
    storage_classes: [],
    notes: ['Bucket names are shared by all customers: choose one nobody else has.'],
    keys_hint: 'Console, the project, Security, S3 Credentials, Generate credentials',
    regions: regions([['fsn1', 'Falkenstein'], ['nbg1', 'Nuremberg'], ['hel1', 'Helsinki']]),
  },
  {
    id: 'minio', name: 'MinIO, Garage or Ceph', endpoint: '', free_region: true, path_style: true, checksums: false, minimum_days: 0,
    storage_classes: [],
    notes: ['A store of your own: keep it on another disk, and better in another place, than what it backs up.', 'Without TLS, give an address that begins with http:// only on a network of your own.'],
    keys_hint: 'MinIO: Access Keys in its console; Garage: garage key create; Ceph: radosgw-admin user create',
    regions: regions([['us-east-1', 'MinIO and Ceph, unless set otherwise'], ['garage', 'Garage']]),
  },
  {
    id: 'generic', name: 'Other S3 storage', endpoint: '', free_region: true, path_style: true, checksums: false, minimum_days: 0,
    storage_classes: [],
    notes: ['The test finds out what this store can do.'],
    keys_hint: 'Your provider\'s console, often under Access Keys or API',
    regions: regions([['us-east-1', 'Unless the provider says otherwise']]),
  },
];
