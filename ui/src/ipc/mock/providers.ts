import type * as T from '../generated/bindings';

type Seed = Partial<T.S3Provider> & Pick<T.S3Provider, 'id' | 'name'>;

const regions = (list: [id: string, place: string][]): T.S3Region[] => list.map(([id, place]) => ({ id, place }));

const seeds: Seed[] = [
  {
    id: 'aws', name: 'Amazon S3', endpoint: 'https://s3.{region}.amazonaws.com', checksums: true, free_region: true, keys_hint: 'AWS console, IAM, Users, Security credentials',
    storage_classes: ['STANDARD', 'STANDARD_IA', 'GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE'], notes: ['Getting data out is billed by the GiB.'],
    regions: regions([['eu-central-1', 'Frankfurt'], ['eu-west-1', 'Ireland'], ['eu-north-1', 'Stockholm'], ['us-east-1', 'N. Virginia'], ['us-west-2', 'Oregon'], ['ap-southeast-2', 'Sydney']]),
  },
  { id: 'linode', name: 'Linode', endpoint: 'https://{region}.linodeobjects.com', free_region: true, keys_hint: 'Cloud Manager, Object Storage, Access keys', regions: regions([['fr-par-1', 'Paris'], ['us-ord-1', 'Chicago'], ['us-iad-10', 'Washington'], ['nl-ams-1', 'Amsterdam']]) },
  { id: 'vultr', name: 'Vultr', endpoint: 'https://{region}.vultrobjects.com', keys_hint: 'Object storage, the subscription, S3 credentials', regions: regions([['ams1', 'Amsterdam'], ['ewr1', 'New Jersey'], ['sgp1', 'Singapore']]), notes: ['Keys belong to one subscription and region.'] },
  { id: 'wasabi', name: 'Wasabi', endpoint: 'https://s3.{region}.wasabisys.com', keys_hint: 'Console, Access keys', minimum_days: 90, regions: regions([['eu-central-1', 'Amsterdam'], ['eu-central-2', 'Frankfurt'], ['us-east-1', 'N. Virginia']]), notes: ['What is deleted within 90 days is billed for 90 days all the same.'] },
  { id: 'b2', name: 'Backblaze B2', endpoint: 'https://s3.{region}.backblazeb2.com', keys_hint: 'Application keys; a key for one bucket is enough', regions: regions([['eu-central-003', 'Amsterdam'], ['us-west-004', 'Phoenix'], ['us-east-005', 'Reston']]), notes: ['Deleting hides: old bytes stay billed until they are really removed. Backstay removes them.'] },
  { id: 'digitalocean', name: 'DigitalOcean Spaces', endpoint: 'https://{region}.digitaloceanspaces.com', keys_hint: 'API, Spaces keys', regions: regions([['fra1', 'Frankfurt'], ['ams3', 'Amsterdam'], ['nyc3', 'New York'], ['sgp1', 'Singapore']]) },
  { id: 'r2', name: 'Cloudflare R2', endpoint: '', path_style: true, keys_hint: 'R2, Manage API tokens. The address is on the same page', regions: regions([['auto', 'Chosen by Cloudflare']]), notes: ['Getting data out is free.'] },
  { id: 'hetzner', name: 'Hetzner', endpoint: 'https://{region}.your-objectstorage.com', keys_hint: 'Cloud console, Object storage, Credentials', regions: regions([['fsn1', 'Falkenstein'], ['nbg1', 'Nuremberg'], ['hel1', 'Helsinki']]) },
  { id: 'minio', name: 'MinIO, Garage, Ceph', endpoint: '', path_style: true, free_region: true, keys_hint: 'Its console or command line', regions: [] },
  { id: 'generic', name: 'Other S3', endpoint: '', path_style: true, free_region: true, keys_hint: 'The provider’s console', regions: [] },
];

/** The providers of the made-up engine. */
export const PROVIDERS: T.S3Provider[] = seeds.map((seed) => ({
  regions: [], endpoint: '', free_region: false, path_style: false, checksums: false, storage_classes: [], minimum_days: 0, notes: [], keys_hint: '', ...seed,
}));
